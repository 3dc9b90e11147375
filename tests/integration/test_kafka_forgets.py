"""A key that was deleted is nowhere in a broker's own files, after a time that is known."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.keys.kafka_keys import KafkaKeys
from campaigns.kafka.keys.key_topic import CHOSEN, ROLL_MS, ROLL_MS_MAX, check_key_settings
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.process.errors import LogUnavailableError, TopicMisfitError
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKey, MasterKeyError
from campaigns.testing.key_store_contract import PLACE, ROWS, known, wrapped
from tests.conftest import _without
from tests.support.broker import Broker, Source, choose, has_jars, has_java

ROLL_S = 1.0
FORGOTTEN_S = 60.0  # Far above what it takes: the roll, a second, and the cleaner's pause.


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Start one whose files can be searched; its cleaner looks more often than every 15 s."""
    if choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.NOTHING:
        _without("no broker of our own, whose files are ours: needs Java and Maven")
    started = Broker(extra={"log.cleaner.backoff.ms": "300"}).start()
    try:
        yield started
    finally:
        started.stop()


@asynccontextmanager
async def keys_on(kafka: Kafka, roll_ms: int = ROLL_MS) -> AsyncIterator[KafkaKeys]:
    store, admin = KafkaKeys(kafka, roll_ms=roll_ms), kafka.admin()
    await admin.start()
    try:
        await store.make(admin, 1, 1)
    finally:
        await admin.close()
    try:
        yield store
    finally:
        await store.close()


def on_disk(folder: Path, secret: str) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and secret.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:  # The broker has just deleted it.
            continue
    return found


@pytest.mark.kafka
async def test_a_deleted_key_is_in_no_file_of_the_broker(broker: Broker) -> None:
    kafka = Kafka(broker.servers)
    async with keys_on(kafka, int(ROLL_S * 1_000)) as store:
        store.follow()
        await store.add({"a": wrapped("a"), "b": wrapped("b"), "c": wrapped("c")})
        before = {one: store.find(one) or "" for one in "abc"}
        assert all(on_disk(broker.folder, one) for one in before.values())
        keys = ListKeys(store, PLACE)
        await keys.forget("a")
        await keys.forget("b", [1])
        async with asyncio.timeout(FORGOTTEN_S):
            while on_disk(broker.folder, before["a"]) or on_disk(broker.folder, before["b"]):
                await asyncio.sleep(0.2)
        assert on_disk(broker.folder, before["c"]), "nobody else is forgotten"
        async with keys_on(kafka) as other:
            await other.refresh()
            assert sorted(other.key_ids()) == ["b", "c"]
            assert known(other, "b") == set(ROWS) - {1}
            assert known(other, "c") == set(ROWS)


@pytest.mark.kafka
async def test_without_its_master_key_an_encrypted_log_is_not_written_in_clear(
    kafka_servers: str, namespace: str
) -> None:
    """Also by a part that runs before anybody has asked it for anything."""
    plain = KafkaLog(kafka_servers, 1, namespace=namespace)
    await plain.open()
    assert plain.list_keys is None, "a log without keys needs none"
    await plain.close()
    log = KafkaLog(kafka_servers, 1, namespace=namespace, master_keys=KeyPlace(bytes(32)))
    await log.open()
    assert log.list_keys is not None
    made = await log.list_keys.take()
    assert log.list_keys.tree(made.key_id) == made.tree
    await log.close()
    place = KeyPlace(bytes([1] * 32))
    other = KafkaLog(kafka_servers, 1, namespace=namespace, master_keys=place)
    await other.open()
    assert other.list_keys is not None
    (trouble,) = other.troubles([], [])
    assert f"64 keys of contacts: expected the master key {MasterKey(bytes(32)).name}" in trouble
    with pytest.raises(MasterKeyError, match="that wraps 64 keys of contacts"):
        await other.list_keys.take()
    await other.close()
    again = KafkaLog(kafka_servers, 1, namespace=namespace)
    with pytest.raises(MasterKeyError, match="expected DIALGATE_MASTER_KEY, by which the keys of"):
        await again.open()
    await again.close()


@pytest.mark.kafka
async def test_where_there_is_no_topic_it_is_one_sentence(
    kafka_servers: str, namespace: str
) -> None:
    store = KafkaKeys(Kafka(kafka_servers, namespace), deadline_s=1.0)
    with pytest.raises(LogUnavailableError, match=f"keys of contacts in {namespace}contact.keys"):
        await store.refresh()
    with pytest.raises(KeyUnavailableError, match="cannot be read now"):
        store.sealers()
    with pytest.raises(LogUnavailableError, match="cannot be written"):
        await store.add({"a": "one"})
    assert store.find("a") is None
    await store.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup.policy", "compact,delete"),
        ("unclean.leader.election.enable", "true"),
        ("max.compaction.lag.ms", str(ROLL_MS_MAX + 1)),
    ],
)
def test_a_topic_that_loses_keys_or_does_not_forget_is_refused(setting: str, value: str) -> None:
    fits = CHOSEN | {"max.compaction.lag.ms": str(ROLL_MS)}
    check_key_settings("contact.keys", fits)
    with pytest.raises(TopicMisfitError, match=f"expected {setting}.*found {value}"):
        check_key_settings("contact.keys", fits | {setting: value})
