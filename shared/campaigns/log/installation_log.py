"""Reads all of installation.records and appends to it: for starting parts and for operators."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

from campaigns.domain.facts import AnyInstallationFact, HomeChosen
from campaigns.domain.levels import LEVEL_NEWEST, needed
from campaigns.log.port import EventLog, ReadableLog
from campaigns.process.clock import Clock
from campaigns.process.errors import LogUnavailableError, OutcomeUnknownError, ReadOnlyError
from campaigns.process.identifiers import random_id
from campaigns.records.home import first_home, refuse_copy
from campaigns.records.installation import Installation, raise_level
from campaigns.records.record import Record
from campaigns.records.topics import INSTALLATION, INSTALLATION_KEY, RECORD_TOPICS, Partition

WITHIN_S = 30.0  # How long to wait for an unavailable or slow log.
RETRY_S = 0.2
CHUNK = 256  # Records per read.
_SEEN_WITHIN_S = 2.0  # Then a record is presumed lost and decided again; its condition protects.
_LOOK_S = 0.02
_SILENT = f"{INSTALLATION}: expected an answer within {WITHIN_S} s, found {{last!r}}"


# What is decided: a fact, or a few that belong together; nothing is left to decide.
Decided = AnyInstallationFact | tuple[AnyInstallationFact, ...] | None


class Author(NamedTuple):
    """The program and the person that make a decision."""

    source: str
    actor: str


async def read_on(log: ReadableLog, installation: Installation) -> None:
    """Fold the records of installation.records that are not folded yet, up to its current end.

    Raises:
        LogUnavailableError: the log does not answer.
        LevelBeyondError: this build is too old for this installation.

    """
    end = (await log.ends([INSTALLATION]))[INSTALLATION]
    while installation.position < end:
        after = installation.position
        batch = await log.read(INSTALLATION, after, min(CHUNK, end - after))
        if not batch:
            raise LogUnavailableError(f"{INSTALLATION}@{after}: expected more, found nothing")
        for recorded in batch:
            installation.take(recorded)


async def whole(log: ReadableLog) -> Installation:
    """Return the installation's state as of now. Waits for an outage to end, within WITHIN_S.

    Raises:
        LogUnavailableError: the log did not answer within WITHIN_S.
        LevelBeyondError: this build is too old for this installation.

    """
    installation = Installation()
    last: LogUnavailableError | None = None
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    await read_on(log, installation)
                except LogUnavailableError as exc:
                    last = exc
                    await asyncio.sleep(RETRY_S)
                else:
                    return installation
    except TimeoutError as exc:
        raise LogUnavailableError(_SILENT.format(last=last)) from exc


async def founded(log: EventLog, clock: Clock, source: str) -> Installation:
    """Return the installation's state; set an empty log to our newest level, and at home here.

    A log without a home, if its level allows one, is at home where it is opened first. For
    processes that write. If two start at once, one is first and both agree.

    Raises:
        LogUnavailableError, LevelBeyondError: as `whole`.

    """
    installation = await whole(log)
    begins = not installation.position and await _empty(log)
    if not begins and first_home(installation, log.place, clock.now(), "") is None:
        return installation

    def decide(now: Installation) -> tuple[AnyInstallationFact, ...]:
        raised = None if now.position else raise_level(now, LEVEL_NEWEST, clock.now())
        at = replace(now, level=raised.level) if raised else now
        home = first_home(at, log.place, clock.now(), random_id())
        return tuple(fact for fact in (raised, home) if fact is not None)

    return await decided(log, decide, Author(source, source.partition("/")[0]), clock)


async def _empty(log: EventLog) -> bool:
    every = [
        Partition(topic, number)
        for topic in RECORD_TOPICS
        for number in range(log.partitions(topic))
    ]
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return not any((await log.ends(every)).values())
            except LogUnavailableError:
                await asyncio.sleep(RETRY_S)


async def decided(
    log: EventLog,
    decide: Callable[[Installation], Decided],
    by: Author,
    clock: Clock,
) -> Installation:
    """Read, decide and append until nothing is left to decide; return the resulting state.

    Facts that are decided together are one record, of the level that they need.

    Raises:
        ReadOnlyError: the log is a copy, and takes nothing but the choice of another home.
        LogUnavailableError: the log did not answer, or did not take it, within WITHIN_S.
        LevelBeyondError: this build is too old for this installation.

    """
    installation = Installation()
    last: Exception | None = None
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    await read_on(log, installation)
                    found = decide(installation)
                    facts = found if isinstance(found, tuple) else (found,) if found else ()
                    if not facts:
                        return installation
                    if not all(isinstance(fact, HomeChosen) for fact in facts):
                        refuse_copy(installation, log.place)
                    record_id = uuid4().hex
                    record = Record(
                        record_id, clock.now(), by.source, by.actor, record_id, None,
                        installation.condition(), facts, level=max(map(needed, facts)),
                    )  # fmt: skip
                    await log.append(INSTALLATION, record, INSTALLATION_KEY)
                    await _appeared(log, installation)
                except ReadOnlyError:
                    raise
                except (LogUnavailableError, OutcomeUnknownError) as exc:
                    last = exc
                    await asyncio.sleep(RETRY_S)
    except TimeoutError as exc:
        raise LogUnavailableError(_SILENT.format(last=last)) from exc


async def _appeared(log: EventLog, installation: Installation) -> None:
    """Wait until the log has grown, at most _SEEN_WITHIN_S."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _SEEN_WITHIN_S
    while loop.time() < until:
        if (await log.ends([INSTALLATION]))[INSTALLATION] > installation.position:
            return
        await asyncio.sleep(_LOOK_S)
