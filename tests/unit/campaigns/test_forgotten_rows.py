"""What the log says is forgotten is forgotten, list by list, whatever becomes of another one."""

import pytest

from campaigns.domain.values.rows import Row
from campaigns.personal.erasure import WHOLE_LIST, ErasedRow
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.personal.key_store import Change, MemoryKeys
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_cipher import AlteredRowError, StoredRow, encrypted
from campaigns.personal.row_reader import row_of
from campaigns.process.errors import LogUnavailableError
from campaigns.secrets.key_place import KeyPlace

MASTER = KeyPlace.of([bytes(32)], None)


class Refusing(MemoryKeys):
    """Takes no change of one key, as where its record is too long."""

    refused: str | None = None

    async def change(self, key_id: str, change: Change) -> None:
        if key_id == self.refused:
            raise LogUnavailableError("too long")
        await super().change(key_id, change)


async def test_one_list_that_cannot_be_changed_keeps_nobody_else_from_being_forgotten() -> None:
    store = Refusing()
    keys = ListKeys(store, MASTER)
    ids = [(await keys.take()).key_id for _ in range(3)]
    erased, store.refused = ErasedRows(), ids[0]
    for key_id in ids:
        erased.add(ErasedRow(key_id, WHOLE_LIST))
    with pytest.raises(LogUnavailableError, match="too long"):
        await forget_again(keys, erased)
    assert [store.find(one) is None for one in ids] == [False, True, True]
    store.refused = None
    assert list(await forget_again(keys, erased)) == [ids[0]]


async def test_what_opens_and_is_no_row_is_an_altered_one() -> None:
    """A dialer ends one call by it: a reader of the log could not look at ciphertext."""
    keys = ListKeys(MemoryKeys(), MASTER)
    key = await keys.take()

    class Odd(Row, frozen=True):
        def as_json(self) -> bytes:
            return b'{"phone_number": 7}'

    (text,) = encrypted(key.tree, key.key_id, 1, [Odd(phone_number="+14155550100", variables={})])
    with pytest.raises(AlteredRowError, match="row 1 of the list"):
        row_of(keys, StoredRow(key.key_id, 1, text))
