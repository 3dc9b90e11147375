"""How many executions have ended so, by blocks: the total and any page of a filter without a scan.

An execution ends once and is in no other status afterwards, so a full block is counted once and
corrected only by the calls that outlast it. Those in progress are not counted: a campaign has no
more of them than lines (ADR-0043).
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import ENDS_AS, ContactStatus
from projector.projections.changes import Changes
from projector.store.tables import EXECUTIONS, TALLIES

BLOCK = 512  # Executions: what a page may have to step over. Measured with `python -m bench.pages`.
ENDS = tuple(sorted({str(status) for status in ENDS_AS.values()}))
_IN_PROGRESS = str(ContactStatus.IN_PROGRESS)


class EndedSoFar(NamedTuple):
    """How many executions with a status there are up to one of them."""

    last: int  # The execution's number; 0: before the first one.
    through: int


def count(tx: Connection, changes: Changes, campaigns: Mapping[int, Campaign]) -> None:
    """Count the blocks that a batch has filled, and what it has ended in those before.

    `campaigns`: those that the batch changed. Its executions are stored already.
    """
    full = {one: its.executions // BLOCK for one, its in campaigns.items()}
    full = {one: blocks for one, blocks in full.items() if blocks}
    if not full:
        return
    ended = Counter(
        (campaign_id, execution.status, (number - 1) // BLOCK)
        for (campaign_id, number), execution in changes.executions.items()
        if campaign_id in full and execution.status != _IN_PROGRESS
    )
    before = {one: changes.numbered.get(one, BLOCK * many) // BLOCK for one, many in full.items()}
    for (campaign_id, status, block), many in ended.items():
        if block < before[campaign_id]:
            _add(tx, campaign_id, status, block, many)
    for campaign_id, blocks in full.items():
        for block in range(before[campaign_id], blocks):
            _fill(tx, campaign_id, block)


def _fill(tx: Connection, campaign_id: int, block: int) -> None:
    """Count a block that has become full."""
    for status in ENDS:
        many = counted(tx, campaign_id, status, BLOCK * block, BLOCK * (block + 1))
        if many:
            through = tally_before(tx, campaign_id, status, BLOCK * block).through + many
            _insert(tx, campaign_id, status, block, through)


def _add(tx: Connection, campaign_id: int, status: str, block: int, many: int) -> None:
    """Count executions of a block that was full while they were in progress."""
    tally = tally_before(tx, campaign_id, status, BLOCK * (block + 1))
    if tally.last <= BLOCK * block:  # It has none with this status yet.
        _insert(tx, campaign_id, status, block, tally.through)
    tx.execute(
        update(TALLIES)
        .where(
            TALLIES.c.campaign_id == campaign_id,
            TALLIES.c.status == status,
            TALLIES.c.block >= block,
        )
        .values(through=TALLIES.c.through + many)
    )


def _insert(tx: Connection, campaign_id: int, status: str, block: int, through: int) -> None:
    row = {"campaign_id": campaign_id, "status": status, "block": block, "through": through}
    tx.execute(insert(TALLIES), row)


def counted(tx: Connection, campaign_id: int, status: str, after: int, last: int) -> int:
    """Count a campaign's executions with this status from `after` + 1 to `last`, one by one."""
    many = select(func.count()).where(
        EXECUTIONS.c.campaign_id == campaign_id,
        EXECUTIONS.c.status == status,
        EXECUTIONS.c.execution_id > after,
        EXECUTIONS.c.execution_id <= last,
    )
    return int(tx.execute(many).scalar_one())


def tally_before(
    tx: Connection, campaign_id: int, status: str, last: int, rank: int | None = None
) -> EndedSoFar:
    """Return the last tally of a campaign that goes no further than to the execution `last`.

    Between the two there are less than BLOCK executions with this status. `rank`: the last one that
    counts less executions than that.
    """
    found = select(TALLIES.c.block, TALLIES.c.through).where(
        TALLIES.c.campaign_id == campaign_id,
        TALLIES.c.status == status,
        TALLIES.c.block < last // BLOCK,
    )
    if rank is None:
        found = found.order_by(TALLIES.c.block.desc())
    else:  # Both orders are one: each block with a tally has at least one execution.
        found = found.where(TALLIES.c.through < rank).order_by(TALLIES.c.through.desc())
    row = tx.execute(found.limit(1)).first()
    return EndedSoFar(0, 0) if row is None else EndedSoFar(BLOCK * (row.block + 1), row.through)
