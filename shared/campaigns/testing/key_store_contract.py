"""The contract of every KeyStore: the suite that a new store must pass. No pytest."""

import asyncio
from contextlib import AbstractAsyncContextManager

from campaigns.personal.key_store import KeyStore
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import ListKeys
from campaigns.secrets.key_place import KeyPlace

PLACE = KeyPlace(bytes(32))
ROWS = range(1, 9)


class KeyStoreContract:
    """The promises of every KeyStore. A test class per store overrides the hooks."""

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        """Open an empty store."""
        raise NotImplementedError

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        """Open the same store once more, as another process does."""
        raise NotImplementedError

    async def test_what_was_added_is_found_and_nothing_else(self) -> None:
        """In every process."""
        async with self.open_keys() as store:
            assert store.find("a") is None
            await store.add({"a": "one", "b": "two"})
            assert [store.find(one) for one in ("a", "b", "c")] == ["one", "two", None]
            assert sorted(store.key_ids()) == ["a", "b"]
            async with self.reopen_keys(store) as other:
                await other.refresh()
                assert [other.find(one) for one in ("a", "b", "c")] == ["one", "two", None]

    async def test_the_master_keys_that_wrap_are_counted_by_name(self) -> None:
        """No key is opened for it."""
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            assert store.sealers() == {}
            await store.add({"a": "first.1", "b": "second.2", "c": "second.3.4"})
            assert store.sealers() == {"first": 1, "second": 2}
            await store.change("a", lambda _: None)
            await other.refresh()
            assert other.sealers() == {"second": 2}

    async def test_a_change_takes_the_place_of_a_key_or_leaves_nothing(self) -> None:
        """What there is not is not made."""
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            await store.add({"a": "one", "b": "two"})
            await store.change("a", lambda was: f"{was}, changed")
            await store.change("b", lambda _: None)
            await store.change("c", lambda was: was)
            found = [store.find(one) for one in ("a", "b", "c")]
            assert found == ["one, changed", None, None]
            await other.refresh()
            assert [other.find(one) for one in ("a", "b", "c")] == found

    async def test_what_another_made_is_found_once_it_is_asked_for(self) -> None:
        """A list may be read by a process that was there before its key."""
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            await other.refresh()
            await store.add({"a": "one"})
            await other.refresh()
            assert other.find("a") == "one"

    async def test_a_reader_that_is_behind_brings_nobody_back(self) -> None:
        """It decides by what is there, not by what it has read."""
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            await store.add({"a": wrapped("a"), "b": wrapped("b")})
            await other.refresh()
            await ListKeys(store, PLACE).forget("a", [3])
            await ListKeys(store, PLACE).forget("b")
            assert await ListKeys(other, PLACE).forget("a", [5]), "it was known"
            await ListKeys(other, PLACE).forget("b", [1])
            for one in (store, other):
                await one.refresh()
                assert known(one, "a") == set(ROWS) - {3, 5}
                assert one.find("b") is None

    async def test_two_that_forget_at_once_forget_all_and_lose_nobody(self) -> None:
        """Neither overwrites what the other has forgotten."""
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            await store.add({"a": wrapped("a"), "b": wrapped("b")})
            both = [ListKeys(one, PLACE) for one in (store, other)]
            for first in (1, 3, 5):
                await asyncio.gather(*(one.forget("a", [first + n]) for n, one in enumerate(both)))
            await asyncio.gather(both[0].forget("b"), both[1].forget("b", [2]))
            for one in (store, other):
                await one.refresh()
                assert known(one, "a") == {7, 8}
                assert one.find("b") is None

    async def test_keys_are_wrapped_by_another_master_key_while_others_forget(self) -> None:
        """Afterwards the older master key is needed no more, and whoever was forgotten is."""
        newer = KeyPlace.of((bytes([1] * 32), bytes(32)), None)
        async with self.open_keys() as store, self.reopen_keys(store) as other:
            await store.add({"a": wrapped("a"), "b": wrapped("b")})
            await other.refresh()
            keys, rotating = ListKeys(store, newer), ListKeys(other, newer)
            await asyncio.gather(keys.forget("a", [1]), rotating.reseal("a"), keys.forget("b"))
            await other.refresh()
            await rotating.reseal("a")
            assert not await rotating.reseal("a"), "it was already"
            assert not await rotating.reseal("b")
            tree = ListKeys(other, KeyPlace(bytes([1] * 32))).tree("a")
            assert {row for row in ROWS if tree.key(row) is not None} == set(ROWS) - {1}
            assert list(other.key_ids()) == ["a"]

    async def test_forgetting_again_finds_nobody(self) -> None:
        """And says so."""
        async with self.open_keys() as store:
            await store.add({"a": wrapped("a")})
            keys = ListKeys(store, PLACE)
            assert await keys.forget("a", [1, 2])
            assert not await keys.forget("a", [2])
            assert await keys.forget("a")
            assert not await keys.forget("a")
            assert not await keys.forget("a", [1])


def wrapped(key_id: str) -> str:
    """Return the key of a new list, as it is kept."""
    return PLACE.sealing().seal(KeyTree.new().dump(), f"key {key_id}")


def known(store: KeyStore, key_id: str) -> set[int]:
    """Return which rows of a list are known."""
    tree = ListKeys(store, PLACE).tree(key_id)
    return {row for row in ROWS if tree.key(row) is not None}
