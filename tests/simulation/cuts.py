"""A world's last danger: its log loses its end and grows again, under living and dead readers.

Everybody who had read further must stop, and say so; the log is then put back for the auditor,
who judges what was before.
"""

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from campaigns.domain.facts import CampaignPaused
from campaigns.process.errors import LogCutError
from campaigns.records.record import Record
from campaigns.records.topics import Partition, campaign_partitions
from campaigns.testing.sample_records import NOON
from projector.service import Projector
from tests.simulation.injections import FaultyDialer
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import Service, Slot, World

NOTICED_WITHIN_S = 60.0  # A look at a log that is slow, and now and then away.
_STRANGE = 10_000  # Campaigns that the world does not know.


async def cut(world: "World") -> None:
    """Cut one partition's log, let it grow again, and find the services that notice nothing."""
    dice = world.plan.dice("cut")
    number = dice.randrange(world.plan.shape.partitions)
    partition = campaign_partitions(world.plan.shape.partitions)[number]
    records = world.log.core._records[partition]
    if dice.random() < 0.5 or len(records) < 2:
        return
    whole = list(records)
    copies = [(slot, _copied(world, slot)) for slot in world.slots if slot.directory]
    to = dice.randrange(len(whole) - 1)
    grown = max(1, dice.choice((1, len(whole) - to, len(whole) - to, len(whole))))
    world.story.tell("log", "{} is cut to {} of {}, grows by {}", partition, to, len(whole), grown)
    del records[to:]
    world.cut_under_way = True

    def put_back() -> None:
        records[:] = whole

    world.put_back = put_back
    for n in range(grown):
        _grow(world, partition, n)
    for name in world.parts_at_the_end:
        (living,) = [slot.process for slot in world.slots if slot.process.name == name]
        await _notices(world, living)
    for slot, copy in copies:
        await _restarted(world, slot, copy, partition, to)


def _grow(world: "World", partition: Partition, n: int) -> None:
    partitions = world.plan.shape.partitions
    campaign_id = _STRANGE * partitions + partition.number + n * partitions
    fact = CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=NOON)
    made = Record(uuid4().hex, NOON, "t", "t", "t", None, {fact.stream: 0}, (fact,))
    world.log.core.append_bytes(partition, made.encode())


async def _notices(world: "World", process: Process) -> None:
    assert process.life is not None, "it was begun"
    await asyncio.wait([process.life], timeout=NOTICED_WITHIN_S)
    if not process.life.done():
        world.crashes.append(f"{process.name} did not notice that the log was cut under way")
    else:
        world.story.danger("the log was cut and has grown again: noticed under way")


def _copied(world: "World", slot: "Slot") -> Path:
    """Copy a store as it was saved last: its process lives on."""
    assert slot.directory is not None
    copy = slot.directory.with_name(f"{slot.name}-copied")
    shutil.copytree(slot.directory, copy)
    return copy


async def _restarted(
    world: "World", slot: "Slot", copy: Path, partition: Partition, to: int
) -> None:
    """Begin a service on a store of before the cut: it must not even open."""
    process = Process(f"{slot.name}.again", slot.clock)
    own, slot.directory = slot.directory, copy
    part = world._part(slot, process)
    slot.directory = own
    opening = world.loop.spawn(process, part.open())
    await asyncio.wait([opening], timeout=NOTICED_WITHIN_S)
    if opening.done() and isinstance(opening.exception(), LogCutError):
        world.story.danger("the log was cut and has grown again: noticed at a start")
    elif part.reader.positions.get(partition, 0) > to or not opening.done():
        world.crashes.append(f"{process.name} did not notice at its start that the log was cut")
    let_go(part)


def let_go(part: "Service") -> None:
    """Close a service's store as a death does: what was not saved is gone."""
    if isinstance(part, Projector):
        if hasattr(part, "store"):
            part.store.close()
        return
    host = part.beside if isinstance(part, FaultyDialer) else None
    for one in (part, host):
        if one is not None and hasattr(one, "store"):  # Both may have the same one.
            with contextlib.suppress(sqlite3.ProgrammingError):
                one.store.db.rollback()
            one.store.close()


def is_cut(no: BaseException) -> bool:
    """Say whether a service ended because it has noticed."""
    return bool(
        isinstance(no, LogCutError)
        or (isinstance(no, BaseExceptionGroup) and no.subgroup(LogCutError))
    )
