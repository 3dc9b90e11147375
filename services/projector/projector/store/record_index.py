"""Reads the index of each campaign's own records, and its snapshots."""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, func, select

from campaigns.domain.campaign import Campaign, load
from projector.projections import records
from projector.projections.organization_records import Share
from projector.projections.records import BLOCK, LastBlock
from projector.store.tables import ORGANIZATION_RECORDS, RECORDS, SNAPSHOTS

_KEYS_A_QUERY = 500  # Below SQLite's limit of bound values.


class StateAt(NamedTuple):
    """A campaign's state after one of its own records."""

    position: int  # 0: before the first.
    campaign: Campaign | None  # None: not created yet.


def tails(tx: Connection, campaign_ids: Collection[int]) -> dict[int, LastBlock]:
    """Return the last block of each campaign; an empty one of a campaign without records."""
    every = list(campaign_ids)
    found = {campaign_id: LastBlock() for campaign_id in every}
    for first in range(0, len(every), _KEYS_A_QUERY):
        wanted = RECORDS.c.campaign_id.in_(every[first : first + _KEYS_A_QUERY])
        last = (
            select(RECORDS.c.campaign_id, func.max(RECORDS.c.block).label("block"))
            .where(wanted)
            .group_by(RECORDS.c.campaign_id)
            .subquery()
        )
        same = (RECORDS.c.campaign_id == last.c.campaign_id) & (RECORDS.c.block == last.c.block)
        for row in tx.execute(select(RECORDS).join(last, same)):
            found[row.campaign_id] = _tail(row.block, _numbers(row.positions), row.latest)
    return found


def _tail(block: int, positions: "array[int]", latest: int) -> LastBlock:
    if len(positions) == records.BLOCK:
        return LastBlock(block + 1, latest=latest)
    return LastBlock(block, positions, latest)


def shares(tx: Connection, wanted: Collection[Share]) -> dict[Share, "array[int]"]:
    """Return the last block of each organization in each partition; an empty one if it has none."""
    blocks, found = ORGANIZATION_RECORDS.c, dict[Share, "array[int]"]()
    for organization_id, partition in wanted:
        last = (
            select(blocks.positions)
            .where(blocks.organization_id == organization_id, blocks.partition == partition)
            .order_by(blocks.first.desc())
            .limit(1)
        )
        found[organization_id, partition] = _numbers(tx.execute(last).scalar() or b"")
    return found


def of_organization(
    tx: Connection, organization_id: int, partition: int, after: int, through: int, most: int
) -> Sequence[int]:
    """Return positions of own records of an organization's campaigns, in order.

    Those after `after`, up to `through`, at most `most`. Costs what it returns: the block to
    begin with is found by the table's key.
    """
    blocks = ORGANIZATION_RECORDS.c
    mine = blocks.organization_id == organization_id, blocks.partition == partition
    before = select(func.max(blocks.first)).where(*mine, blocks.first <= after + 1)
    asked = (
        select(blocks.positions)
        .where(*mine, blocks.first >= (tx.execute(before).scalar() or 0))
        .where(blocks.first <= through)
        .order_by(blocks.first)
        .limit(most // BLOCK + 2)
    )
    return _between(tx.execute(asked).scalars(), after, through)[:most]


def of_campaign(
    tx: Connection, campaign_id: int, after: int, through: int, most: int
) -> Sequence[int]:
    """Return positions of a campaign's own records, as `of_organization` does."""
    asked = _blocks_from(campaign_id, _first(tx, campaign_id, RECORDS.c.last, after))
    found = tx.execute(asked.limit(most // BLOCK + 2))
    return _between((row.positions for row in found), after, through)[:most]


def _blocks_from(campaign_id: int, block: int) -> Select[Any]:  # Any: the table's columns.
    mine = RECORDS.c.campaign_id == campaign_id
    return select(RECORDS).where(mine, RECORDS.c.block >= block).order_by(RECORDS.c.block)


def _first(tx: Connection, campaign_id: int, column: Column[int], above: int) -> int:
    """Return the first block in which a column is above a value; one past the last if none is.

    `column`: one that never shrinks from block to block. Costs the logarithm of their number:
    blocks are numbered from 0, and each is found by the table's key.
    """
    mine = RECORDS.c.campaign_id == campaign_id
    last = tx.execute(select(func.max(RECORDS.c.block)).where(mine)).scalar()
    low, high = 0, 0 if last is None else last + 1
    while low < high:
        middle = (low + high) // 2
        probe = select(column).where(mine, RECORDS.c.block == middle)
        low, high = (low, middle) if tx.execute(probe).scalar_one() > above else (middle + 1, high)
    return low


def _between(blocks: Iterable[bytes], after: int, through: int) -> Sequence[int]:
    found = array("Q")
    for stored in blocks:
        found.extend(_numbers(stored))
    return found[bisect_right(found, after) : bisect_right(found, through)]


def positions(tx: Connection, campaign_id: int, after: int, through: int) -> Sequence[int]:
    """Return the positions of a campaign's own records after `after`, up to `through`, in order."""
    asked = _blocks_from(campaign_id, _first(tx, campaign_id, RECORDS.c.last, after))
    found = array("Q")
    for stored in tx.execute(asked):
        block = _numbers(stored.positions)
        if block[0] > through:
            break
        found.extend(block)
    return found[bisect_right(found, after) : bisect_right(found, through)]


def count(tx: Connection, campaign_id: int, through: int) -> int:
    """Return how many records of its own a campaign has up to `through`."""
    block = _first(tx, campaign_id, RECORDS.c.last, through - 1)
    found = tx.execute(_blocks_from(campaign_id, block).limit(1)).first()
    if found is not None:
        return int(found.block * records.BLOCK + bisect_right(_numbers(found.positions), through))
    return tails(tx, [campaign_id])[campaign_id].records


def before_time(tx: Connection, campaign_id: int, time: int) -> tuple[int, Sequence[int]]:
    """Return where a campaign's first record after an instant is to be found.

    `time`: microseconds since 1970. Shape: the position of the last record of the block before
    (0: none), and the positions of the block that has it; none if no record is later.
    """
    block = _first(tx, campaign_id, RECORDS.c.latest, time)
    found = tx.execute(_blocks_from(campaign_id, max(block - 1, 0)).limit(2)).all()
    before = [row.last for row in found if row.block < block]
    later = [row.positions for row in found if row.block == block]
    return before[0] if before else 0, _numbers(later[0]) if later else ()


def snapshot(tx: Connection, campaign_id: int, through: int) -> StateAt:
    """Return the latest snapshot of a campaign that includes no record after `through`."""
    asked = (
        select(SNAPSHOTS.c.position, SNAPSHOTS.c.state)
        .where(SNAPSHOTS.c.campaign_id == campaign_id, SNAPSHOTS.c.position <= through)
        .order_by(SNAPSHOTS.c.position.desc())
        .limit(1)
    )
    found = tx.execute(asked).first()
    return StateAt(0, None) if found is None else StateAt(found[0], load(found[1], campaign_id))


def _numbers(stored: bytes) -> "array[int]":
    found = array("Q")
    found.frombytes(stored)
    return found
