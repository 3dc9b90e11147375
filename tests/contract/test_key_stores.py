"""Every place of lists' keys passes one contract: memory, a file, a topic."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.keys.kafka_keys import KafkaKeys
from campaigns.kafka.keys.topic_keys import KeyListener, KeyTopicClosedError, TopicKeys
from campaigns.personal.key_store import KeyStore, MemoryKeys
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.secrets.key_place import KeyPlace
from campaigns.sqlite.key_file import KeyFile
from campaigns.testing.key_store_contract import KeyStoreContract


class TestMemoryKeys(KeyStoreContract):
    @asynccontextmanager
    async def _opened(self, store: KeyStore) -> AsyncIterator[KeyStore]:
        yield store

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened(MemoryKeys())

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened(store)


class TestKeyFile(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _at(self, tmp_path: Path) -> None:
        self.path = tmp_path / "keys.db"

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[KeyStore]:
        store = KeyFile(self.path)
        yield store
        store.close()

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()

    async def test_a_file_that_another_process_is_about_to_make_has_no_keys_yet(self) -> None:
        self.path.touch()
        async with self.open_keys() as store:
            assert (store.find("k"), store.key_ids(), store.sealers()) == (None, [], {})
            async with self.open_keys() as maker:
                await maker.add({"k": "m.x"})
            assert store.find("k") == "m.x"

    async def test_a_file_that_was_removed_or_replaced_is_not_read_on(self) -> None:
        """Changes go to what stands there: nobody is to be read from what does not any more."""
        async with self.open_keys() as store:
            await store.add({"old": "m.x"})
            assert (store.find("old"), store.sealers()) == ("m.x", {"m": 1})
            self.path.unlink()
            assert (store.find("old"), store.key_ids(), store.sealers()) == (None, [], {})
            await store.add({"new": "n.y"})
            assert (store.find("old"), store.find("new")) == (None, "n.y")
            backup = self.path.with_name("backup")
            shutil.copy(self.path, backup)
            await store.change("new", lambda _: None)
            assert (store.find("new"), store.sealers()) == (None, {})
            backup.replace(self.path)
            assert (store.find("new"), store.sealers()) == ("n.y", {"n": 1})


class MemoryTopic:
    """A topic that keeps everything; its clients read and write in turns, as over a network."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str | None]] = []


class MemoryTopicClient:
    """Reads and writes for one process."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic, self._position, self.wrapped = topic, 0, dict[str, str]()
        self.away = ""  # Why it cannot be read.

    async def read(self, listener: KeyListener) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise KeyTopicClosedError(self.away)
        for offset in range(self._position, len(self._topic.records)):
            key_id, value = self._topic.records[offset]
            if value is None:
                self.wrapped.pop(key_id, None)
            else:
                self.wrapped[key_id] = value
            listener(offset, key_id, value)
        self._position = len(self._topic.records)

    async def write(self, messages: Mapping[str, str | None]) -> list[int]:
        await asyncio.sleep(0)
        first = len(self._topic.records)
        self._topic.records += messages.items()
        return list(range(first, len(self._topic.records)))

    async def close(self) -> None:
        """Nothing to close."""


class TestTopicKeys(KeyStoreContract):
    """What a process does with any topic, each step in turns with another's."""

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[KeyStore]:
        client = MemoryTopicClient(self.topic)
        yield TopicKeys(client, client, 1.0)

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        self.topic = MemoryTopic()
        return self._opened()

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()

    async def test_what_could_not_be_read_yet_is_not_taken_for_no_key(self) -> None:
        client = MemoryTopicClient(topic := MemoryTopic())
        topic.records.append(("k", "m.x"))
        store, place = TopicKeys(client, client, 1.0), KeyPlace(bytes(32))
        keys = ListKeys(store, place)
        client.away = "no right to (Read)"
        with pytest.raises(KeyTopicClosedError):
            await store.refresh()
        with pytest.raises(KeyUnavailableError, match="no right to"):
            store.sealers()
        assert keys.troubles() == ["no right to (Read)"]
        with pytest.raises(KeyUnavailableError, match="no right to"):
            await keys.take()
        assert len(topic.records) == 1, "no key was made beside others that could not be seen"
        assert keys.mark().name == place.sealing().name, "the command API starts"
        client.away = ""
        await store.refresh()
        assert store.sealers() == {"m": 1}
        client.away = "no answer"
        with pytest.raises(KeyTopicClosedError):
            await store.refresh()
        assert store.sealers() == {"m": 1}, "what was read stays"


@pytest.mark.kafka
class TestKafkaKeys(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _at(self, kafka_servers: str) -> None:
        self.kafka = Kafka(kafka_servers, f"k{uuid.uuid4().hex[:10]}.")

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[KeyStore]:
        store = KafkaKeys(self.kafka)
        admin = self.kafka.admin()
        await admin.start()
        try:
            await store.make(admin, 1, 1)
        finally:
            await admin.close()
        yield store
        await store.close()

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()
