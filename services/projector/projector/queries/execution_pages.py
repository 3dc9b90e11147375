"""Reads pages of a campaign's executions from the store. Knows no HTTP.

A page costs the same wherever it is and however many there are: executions are numbered without
gaps, and those that ended alike are counted by blocks (`store.tallies.execution_tallies`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from campaigns.domain.campaign import Campaign, OpenCall
from campaigns.domain.contact import ContactStatus
from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import ListKeys
from projector.projections.changes import Execution
from projector.projections.executions import began
from projector.queries.campaign_pages import ImportedRow, erased_through_of, rows, windows
from projector.queries.page import Page
from projector.queries.row_details import Unread
from projector.store.tables import EXECUTIONS
from projector.store.tallies.execution_tallies import counted, tally_before
from projector.store.views import EXECUTION

_END = 2**53  # Above every number.
_NUMBER = EXECUTIONS.c.execution_id


class Attempt(NamedTuple):
    """One execution of a page, and the contact that it called."""

    execution: Execution
    row: Row | None


def executions(
    tx: Connection,
    campaign_id: int,
    status: str | None,
    page: Page,
    past: Campaign | None = None,
    keys: ListKeys | None = None,
    unread: Unread | None = None,
) -> tuple[Iterable[Attempt], int]:
    """Return a page of a campaign's executions, newest first, and how many there are.

    They are read lazily, within the transaction. `past`: the campaign as it was; an
    execution that is numbered later was not there yet, and one of an open call had not ended.
    `keys`: of encrypted rows. `unread`: as `rows`.
    """
    under_way = {} if past is None else {call.execution or 0: call for call in past.calling()}
    end = _END if past is None else past.executions
    if status is None:
        total = _last(tx, campaign_id, end)
        newest = total - page.skip
        numbers: Sequence[int] = range(newest, max(0, newest - page.limit), -1)
    elif past is not None and status == ContactStatus.IN_PROGRESS:
        total = len(under_way)
        numbers = sorted(under_way, reverse=True)[page.skip : page.skip + page.limit]
    else:
        since = _ended_since(tx, campaign_id, status, under_way)
        total = _count(tx, campaign_id, status, end, since)
        rank = total - page.skip
        numbers = _newest(tx, campaign_id, status, since, rank, page.limit, end) if rank > 0 else []
    erased = erased_through_of(tx, campaign_id)  # Once a page: it may have long texts.
    given = partial(rows, tx, campaign_id, keys=keys, unread=unread, erased_through=erased)
    return _attempts(tx, campaign_id, numbers, under_way, given), total


def _last(tx: Connection, campaign_id: int, end: int) -> int:
    """Return the last number up to `end`, which says how many there are."""
    last = select(func.max(_NUMBER)).where(EXECUTIONS.c.campaign_id == campaign_id, end >= _NUMBER)
    return int(tx.execute(last).scalar() or 0)


def _count(
    tx: Connection, campaign_id: int, status: str, end: int, without: Collection[int]
) -> int:
    """Count those with a status up to a number, by what is counted already and the rest."""
    tally = tally_before(tx, campaign_id, status, end)
    rest = counted(tx, campaign_id, status, tally.last, end)
    return tally.through + rest - len(without)


def _newest(
    tx: Connection,
    campaign_id: int,
    status: str,
    without: Sequence[int],
    rank: int,
    limit: int,
    end: int,
) -> Sequence[int]:
    """Return the numbers of those with a status from the `rank`-th, counted from 1, downwards."""
    tally = tally_before(tx, campaign_id, status, end, rank)
    passed = tally.through - sum(number <= tally.last for number in without)
    alike = select(_NUMBER).where(
        EXECUTIONS.c.campaign_id == campaign_id, EXECUTIONS.c.status == status
    )
    alike = alike.where(_NUMBER.not_in(without)) if without else alike
    upwards = alike.where(tally.last < _NUMBER).order_by(_NUMBER).offset(rank - passed - 1)
    first = int(tx.execute(upwards.limit(1)).scalar_one())
    downwards = alike.where(first >= _NUMBER).order_by(_NUMBER.desc()).limit(limit)
    return tx.execute(downwards).scalars().all()


def _ended_since(
    tx: Connection, campaign_id: int, status: str, under_way: Collection[int]
) -> Sequence[int]:
    """Return those of the calls under way then that have a status now."""
    if not under_way:
        return []
    found = select(_NUMBER).where(
        EXECUTIONS.c.campaign_id == campaign_id,
        EXECUTIONS.c.status == status,
        _NUMBER.in_(list(under_way)),
    )
    return tx.execute(found).scalars().all()


def _attempts(
    tx: Connection,
    campaign_id: int,
    numbers: Sequence[int],
    under_way: Mapping[int, OpenCall],
    rows_of: Callable[[Collection[int]], Mapping[int, ImportedRow]],
) -> Iterator[Attempt]:
    for some in windows(numbers):
        asked = select(EXECUTIONS.c.state).where(
            EXECUTIONS.c.campaign_id == campaign_id, _NUMBER.in_(some)
        )
        states = tx.execute(asked.order_by(_NUMBER.desc())).scalars()
        found = [EXECUTION.load(state, f"execution of campaign {campaign_id}") for state in states]
        given = rows_of({one.contact_id for one in found})
        for one in found:
            call = under_way.get(one.execution_id)
            row = given[one.contact_id].row if one.contact_id in given else None
            yield Attempt(one if call is None else began(call), row)
