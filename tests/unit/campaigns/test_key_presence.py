"""Whether the keys of many lists are there, without opening each of them."""

import pytest

from campaigns.personal.key_presence import missing_key
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import AHEAD, ListKeys
from campaigns.secrets.key_place import KeyPlace

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


async def lists(store: MemoryKeys, *masters: bytes) -> list[str]:
    """Return the ids of keys that these master keys wrapped, as many each."""
    found = list[str]()
    for master in masters:
        keys = ListKeys(store, KeyPlace(master, older=(OLD,)))
        found += [(await keys.take()).key_id for _ in range(AHEAD)]
    return found


async def test_one_key_of_each_master_key_is_opened_and_the_others_must_be_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, opened = MemoryKeys(), list[str]()
    key_ids, open_one = await lists(store, OLD, NEW), KeyPlace.open

    def noted(place: KeyPlace, sealed: str, about: str) -> bytes:
        opened.append(about)
        return open_one(place, sealed, about)

    monkeypatch.setattr(KeyPlace, "open", noted)
    keys = ListKeys(store, KeyPlace(NEW, older=(OLD,)))
    assert missing_key(keys, key_ids) is None
    assert opened == [f"key {key_ids[0]}", f"key {key_ids[AHEAD]}"]
    await store.change(key_ids[-1], lambda _: None)
    assert missing_key(keys, key_ids) == f"the key {key_ids[-1]} of a list of contacts is missing"


async def test_a_key_of_a_master_key_that_is_not_there_is_told_behind_others() -> None:
    store = MemoryKeys()
    key_ids = await lists(store, OLD, NEW)
    assert "expected the master key" in (missing_key(ListKeys(store, KeyPlace(OLD)), key_ids) or "")
    assert missing_key(ListKeys(store, KeyPlace(OLD)), key_ids[:AHEAD]) is None
    assert "is missing" in (missing_key(None, key_ids) or "")
