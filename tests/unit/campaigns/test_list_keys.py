"""Keys of lists: what stays unwrapped between two questions, and what never does."""

from pathlib import Path

import pytest

from campaigns.domain.values.rows import Row
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import OPEN_MAX, KeyUnavailableError, ListKeys
from campaigns.personal.row_cipher import StoredRow, encrypted
from campaigns.personal.row_reader import row_of
from campaigns.secrets.key_place import KeyPlace
from campaigns.sqlite.key_file import KeyFile

MASTER = KeyPlace.of([bytes(32)], None)
ROWS = [Row(phone_number=f"+1415555010{n}", variables={}) for n in range(3)]


class CountedKeys(ListKeys):
    """Counts how often a list is unwrapped."""

    unwrapped = 0

    def _opened(self, key_id: str, wrapped: str) -> KeyTree:
        self.unwrapped += 1
        return super()._opened(key_id, wrapped)


async def written(keys: ListKeys) -> list[StoredRow]:
    key = await keys.take()
    texts = encrypted(key.tree, key.key_id, 1, ROWS)
    return [StoredRow(key.key_id, n, text) for n, text in enumerate(texts, 1)]


async def test_a_list_that_is_called_is_unwrapped_once() -> None:
    keys = CountedKeys(MemoryKeys(), MASTER)
    rows = await written(keys)
    assert [row_of(keys, one) for one in rows * 10] == ROWS * 10
    assert keys.unwrapped == 1


async def test_what_another_process_forgets_is_forgotten_here_at_once() -> None:
    store = MemoryKeys()
    here, there = ListKeys(store, MASTER), ListKeys(store, MASTER)
    rows = await written(here)
    assert row_of(here, rows[0]) == ROWS[0]
    assert rows[0].key_id is not None
    await there.forget(rows[0].key_id, [1])
    assert [row_of(here, one) for one in rows] == [None, *ROWS[1:]]
    await there.forget(rows[0].key_id)
    with pytest.raises(KeyUnavailableError):
        row_of(here, rows[1])


async def test_few_lists_stay_unwrapped() -> None:
    keys = CountedKeys(MemoryKeys(), MASTER)
    lists = [await written(keys) for _ in range(OPEN_MAX + 1)]
    for rows in lists:
        assert row_of(keys, rows[0]) == ROWS[0]
    assert len(keys._open) == OPEN_MAX
    row_of(keys, lists[-1][1])
    assert keys.unwrapped == len(lists)
    row_of(keys, lists[0][1])
    assert keys.unwrapped == len(lists) + 1, "the one that was read first is unwrapped again"


async def test_health_counts_the_keys_of_a_file_only_after_a_change(tmp_path: Path) -> None:
    store, other = KeyFile(tmp_path / "keys.db"), KeyFile(tmp_path / "keys.db")
    await other.add({"k": "m.x"})
    assert store.sealers() == {"m": 1}
    assert store._reading is not None
    asked = list[str]()
    store._reading.set_trace_callback(asked.append)
    assert store.sealers() == {"m": 1}
    assert not [one for one in asked if "count" in one], asked
    await other.change("k", lambda _: "n.x")
    assert store.sealers() == {"n": 1}
    assert [one for one in asked if "count" in one]
    store.close()
    other.close()
