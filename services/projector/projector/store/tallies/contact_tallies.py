"""How many contacts stand how, by blocks of their numbers: any page of a filter without a scan.

A contact changes again and again, and a re-arming changes what is shown of all of them at once. So
what is counted is what is stored, its standing; which status a campaign shows of it follows from
that (`queries.contact_pages`). After each batch the table is CONTACTS, grouped (ADR-0043).
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, text

from campaigns.domain.contact import Contact, ContactStatus
from projector.projections.changes import Place, Standing
from projector.store.tables import CONTACT_TALLIES, CONTACTS

# Blocks of three sizes, in contacts as powers of two: each has 32 of the next smaller ones.
BITS = 20, 15, 10
ALL = 2**53  # Above every number, and the end of a block of each size.

# Given the columns of CONTACTS or of their tallies. Any: SQLAlchemy's collection has no type here.
Filter = Callable[[Any], ColumnElement[bool]]

_STATUS = {status: str(status) for status in ContactStatus}  # The driver is quicker with a str.
_KEY = ", ".join(column.name for column in CONTACT_TALLIES.primary_key)
_ADD = text(
    f"insert into projector_contact_tallies ({_KEY}, many) values"
    " (:campaign_id, :bits, :block, :epoch, :status, :tried, :many)"
    f" on conflict ({_KEY}) do update set many = projector_contact_tallies.many + excluded.many"
)
_DROP = text(
    "delete from projector_contact_tallies where campaign_id = :campaign_id and bits = :bits"
    " and block = :block and epoch = :epoch and status = :status and tried = :tried and many = 0"
)
_FILL = text(
    "insert into projector_contact_tallies select campaign_id, :bits, (contact_id - 1) / :width,"
    " epoch, status, tried, count(*) from projector_contacts"
    " group by campaign_id, (contact_id - 1) / :width, epoch, status, tried"
)


def standing(contact: Contact) -> Standing:
    """Return what is counted of a contact."""
    return contact.epoch, _STATUS[contact.status], int(contact.ever)


def add(
    tx: Connection, before: Mapping[Place, Standing], contacts: Mapping[Place, Contact]
) -> None:
    """Count the contacts of a batch anew. `before`: how those stood that were stored already."""
    moved = Counter[tuple[int, int, Standing]]()
    smallest = BITS[-1]
    for (campaign_id, contact_id), contact in contacts.items():
        then, now = before.get((campaign_id, contact_id)), standing(contact)
        if then != now:
            block = (contact_id - 1) >> smallest
            moved[campaign_id, block, now] += 1
            if then is not None:
                moved[campaign_id, block, then] -= 1
    differences = Counter[tuple[int, int, int, Standing]]()
    for (campaign_id, block, of), many in moved.items():
        for bits in BITS:
            differences[campaign_id, bits, block >> (bits - smallest), of] += many
    rows = [_row(*place, many) for place, many in differences.items() if many]
    if rows:
        tx.execute(_ADD, rows)
    if fewer := [row for row in rows if row["many"] < 0]:
        tx.execute(_DROP, fewer)


def _row(campaign_id: int, bits: int, block: int, of: Standing, many: int) -> dict[str, Any]:
    epoch, status, tried = of
    place = {"campaign_id": campaign_id, "bits": bits, "block": block}
    return {**place, "epoch": epoch, "status": status, "tried": tried, "many": many}


def fill(tx: Connection) -> None:
    """Count all contacts of a store that has no tallies of them yet."""
    tx.execute(_FILL, [{"bits": bits, "width": 1 << bits} for bits in BITS])


def counted(tx: Connection, campaign_id: int, wanted: Filter, first: int, last: int) -> int:
    """Count a campaign's stored contacts from `first` to `last` that meet a filter.

    By blocks; at both ends less than a block is counted one by one.
    """
    return _counted(tx, campaign_id, wanted, first - 1, last, BITS)


def _counted(
    tx: Connection, campaign_id: int, wanted: Filter, begin: int, end: int, sizes: Collection[int]
) -> int:
    """Count from `begin`, counted from 0, up to and without `end`."""
    if begin >= end:
        return 0
    if not sizes:
        return int(tx.execute(_of(campaign_id, func.count(), wanted, begin, end)).scalar_one())
    bits, *smaller = sizes
    first, last = -(-begin >> bits), end >> bits
    if first >= last:
        return _counted(tx, campaign_id, wanted, begin, end, smaller)
    many = func.coalesce(func.sum(CONTACT_TALLIES.c.many), 0)
    inner = int(tx.execute(_blocks(campaign_id, many, wanted, bits, first, last)).scalar_one())
    before = _counted(tx, campaign_id, wanted, begin, first << bits, smaller)
    return before + inner + _counted(tx, campaign_id, wanted, last << bits, end, smaller)


@dataclass
class Search:
    """Finds contacts by their rank among those that meet a filter, in the order of their numbers.

    It opens the blocks that it cannot step over, and of the smallest ones reads a standing each.
    """

    tx: Connection
    campaign_id: int
    end: int  # The campaign's last contact.
    skip: int  # How many are still passed over.
    limit: int
    numbers: list[int] = field(default_factory=list)  # Found so far.

    def among(self, wanted: Filter, first: int, last: int) -> None:
        """Go through the stored contacts from `first` to `last` that meet a filter."""
        self._go(wanted, first - 1, last, BITS, others=False)

    def without(self, unwanted: Filter, first: int, last: int) -> None:
        """Go through all contacts from `first` to `last`, but stored ones that meet a filter."""
        self._go(unwanted, first - 1, last, BITS, others=True)

    def _go(
        self, met: Filter, begin: int, end: int, sizes: Collection[int], *, others: bool
    ) -> None:
        if begin >= end or len(self.numbers) >= self.limit:
            return
        if not sizes:
            self._read(met, begin, end, others=others)
            return
        bits, *smaller = sizes
        first, last = begin >> bits, ((end - 1) >> bits) + 1
        block, many = CONTACT_TALLIES.c.block, func.sum(CONTACT_TALLIES.c.many)
        asked = _blocks(self.campaign_id, block, met, bits, first, last).add_columns(many)
        counts = dict[int, int](self.tx.execute(asked.group_by(block).order_by(block)).all())
        for number in range(first, last) if others else list(counts):
            if len(self.numbers) >= self.limit:
                return
            start, stop = number << bits, (number + 1) << bits
            if start >= begin and (stop <= end or end >= self.end):  # All of the block counts.
                found = int(counts.get(number, 0))
                found = min(stop, end) - start - found if others else found
                if found <= self.skip:
                    self.skip -= found
                    continue
            self._go(met, max(start, begin), min(stop, end), smaller, others=others)

    def _read(self, met: Filter, begin: int, end: int, *, others: bool) -> None:
        asked = _of(self.campaign_id, CONTACTS.c.contact_id, met, begin, end)
        found = sorted(self.tx.execute(asked).scalars())  # Its index sorts by status before.
        if others:
            these = set(found)
            found = [one for one in range(begin + 1, end + 1) if one not in these]
        self.numbers += found[self.skip : self.skip + self.limit - len(self.numbers)]
        self.skip = max(0, self.skip - len(found))


# Any: a column's own type, or a count.
def _of(campaign_id: int, what: Any, wanted: Filter, begin: int, end: int) -> Any:
    """Ask for contacts one by one, in the index of their standings alone."""
    every = CONTACTS.c.status.in_(sorted(_STATUS.values()))  # Leads to that index.
    numbers = (CONTACTS.c.contact_id > begin) & (CONTACTS.c.contact_id <= end)
    of = CONTACTS.c.campaign_id == campaign_id
    return select(what).select_from(CONTACTS).where(of, every, numbers, wanted(CONTACTS.c))


def _blocks(campaign_id: int, what: Any, wanted: Filter, bits: int, first: int, last: int) -> Any:
    """Ask for the tallies of blocks of one size, from `first` up to and without `last`."""
    columns = CONTACT_TALLIES.c
    place = (columns.campaign_id == campaign_id) & (columns.bits == bits)
    return select(what).where(place, columns.block >= first, columns.block < last, wanted(columns))
