"""How many executions have ended so, by blocks: the total and any page of a filter without a scan.

An execution ends once and is in no other status afterwards, so a block whose executions have all
ended is counted once, and never again. Those in progress are not counted: a campaign has no more of
them than lines (ADR-0043).
"""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import ENDS_AS
from projector.store.tables import EXECUTIONS, TALLIES

BLOCK = 1024  # Executions: what a page may have to step over. Source: bench/pages.py.
_ENDS = ", ".join(f"'{status}'" for status in sorted(set(ENDS_AS.values())))
_FILL = text(  # One statement: it counts in an index alone, and costs a page of it.
    "insert into projector_tallies (campaign_id, status, block, through)"
    " select :campaign_id, ended.status, :block, ended.many + coalesce("
    "  (select through from projector_tallies as last where last.campaign_id = :campaign_id"
    "   and last.status = ended.status order by last.block desc limit 1), 0)"
    " from (select status, count(*) as many from projector_executions"
    "  where campaign_id = :campaign_id and execution_id > :first and execution_id <= :last"
    f"  and status in ({_ENDS}) group by status) as ended"
)


class EndedSoFar(NamedTuple):
    """How many executions with a status there are up to one of them."""

    last: int  # The execution's number; 0: before the first one.
    through: int


def count(
    tx: Connection, campaigns: Mapping[int, Campaign], tallied: Mapping[int, int]
) -> dict[int, int]:
    """Count the blocks that have become complete; return the number of blocks of these campaigns.

    `campaigns`: those that a batch changed; their executions are stored already. `tallied`: how
    many blocks are counted, as far as it is known.
    """
    found = dict[int, int]()
    for campaign_id, campaign in campaigns.items():
        full = campaign.executions // BLOCK
        if full <= (known := tallied.get(campaign_id, 0)):
            continue
        begun = (call.execution for call in campaign.calls.values() if call.execution is not None)
        full = min(full, (min(begun, default=campaign.executions + 1) - 1) // BLOCK)
        if full <= known:
            continue
        found[campaign_id] = full
        done = known or _blocks(tx, campaign_id)
        for block in range(done, full):
            place = {"first": BLOCK * block, "last": BLOCK * (block + 1)}
            tx.execute(_FILL, {"campaign_id": campaign_id, "block": block, **place})
    return found


def _blocks(tx: Connection, campaign_id: int) -> int:
    """Return how many blocks of a campaign are counted: each has a row for some status."""
    last = select(func.max(TALLIES.c.block)).where(TALLIES.c.campaign_id == campaign_id)
    found = tx.execute(last).scalar()
    return 0 if found is None else int(found) + 1


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
