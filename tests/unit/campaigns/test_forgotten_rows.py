"""What the log says is forgotten is forgotten, list by list, whatever becomes of another one."""

from collections.abc import Sequence

import pytest

from campaigns.domain.facts import AnyFact, ContactErased, ImportFailed, ListClosed
from campaigns.domain.values.rows import Row
from campaigns.personal.erasure import WHOLE_LIST, ErasedRow
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.personal.key_store import Change, MemoryKeys
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_cipher import (
    AlteredRowError,
    StoredRow,
    contacts_encrypted,
    encrypted,
)
from campaigns.personal.row_reader import row_of
from campaigns.process.errors import LogUnavailableError
from campaigns.secrets.key_place import KeyPlace
from campaigns.testing.sample_records import NOON
from tests.support.sample_facts import campaign_created

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


def chunk(import_id: str, first: int = 1) -> AnyFact:
    return contacts_encrypted(import_id, first, f"key of {import_id}", ["a row", "another"])


def closed(import_id: str, *, counts: bool = False) -> AnyFact:
    return ListClosed(import_id=import_id, counts=counts, closed_at=NOON)


def failed(import_id: str) -> AnyFact:
    return ImportFailed(
        campaign_id=1, import_id=import_id, number=1, reason="a test", failed_at=NOON
    )


ERASED = ContactErased(campaign_id=1, contact_id=2, key_id="key of a", row=2, erased_at=NOON)
WHOLE = {"key of a": None}


@pytest.mark.parametrize(
    ("told", "forgotten"),
    [
        ([chunk("a")], {}),
        ([chunk("a"), campaign_created(1, NOON, rows=2, import_id="a")], {}),
        ([chunk("a"), closed("a", counts=True)], {}),
        ([chunk("a"), closed("a")], WHOLE),
        ([chunk("a"), failed("a")], WHOLE),
        ([chunk("a"), failed("a"), chunk("a", 3), closed("a")], WHOLE),
        ([failed("a"), chunk("a")], WHOLE),
        ([chunk("a"), chunk("b"), closed("a")], WHOLE),
        ([chunk("b"), campaign_created(1, NOON, import_id="b"), chunk("a"), closed("a")], WHOLE),
        ([chunk("a"), ERASED], {"key of a": {2}}),
    ],
)
def test_a_list_that_never_counts_is_forgotten_whole_and_no_other(
    told: Sequence[AnyFact], forgotten: object
) -> None:
    erased = ErasedRows()
    for _ in range(2):  # Whoever reads a partition twice is told the same.
        for fact in told:
            erased.fold(fact)
        assert erased.by_key == forgotten
