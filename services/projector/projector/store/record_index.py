"""Reads the index of each campaign's own records, and its snapshots."""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from campaigns.domain.campaign import Campaign, load
from projector.projections.records import BLOCK, LastBlock
from projector.store.tables import RECORDS, SNAPSHOTS

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
    if len(positions) == BLOCK:
        return LastBlock(block + 1, latest=latest)
    return LastBlock(block, positions, latest)


def positions(tx: Connection, campaign_id: int, after: int, through: int) -> Sequence[int]:
    """Return the positions of a campaign's own records after `after`, up to `through`, in order."""
    asked = (
        select(RECORDS.c.positions)
        .where(RECORDS.c.campaign_id == campaign_id, RECORDS.c.last > after)
        .order_by(RECORDS.c.block)
    )
    found = array("Q")
    for stored in tx.execute(asked).scalars():
        block = _numbers(stored)
        if block[0] > through:
            break
        found.extend(block)
    return found[bisect_right(found, after) : bisect_right(found, through)]


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
