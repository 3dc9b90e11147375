"""Reads all of installation.records and appends to it: for starting parts and for operators."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple
from uuid import uuid4

from campaigns.domain.facts import AnyInstallationFact
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST
from campaigns.log.port import EventLog, ReadableLog
from campaigns.process.clock import Clock
from campaigns.process.errors import LogUnavailableError, OutcomeUnknownError
from campaigns.records.installation import Installation, raise_level
from campaigns.records.record import Record
from campaigns.records.topics import INSTALLATION, INSTALLATION_KEY, RECORD_TOPICS, Partition

WITHIN_S = 30.0  # How long to wait for an unavailable or slow log.
RETRY_S = 0.2
CHUNK = 256  # Records per read.
_SEEN_WITHIN_S = 2.0  # Then a record is presumed lost and decided again; its condition protects.
_LOOK_S = 0.02
_SILENT = f"{INSTALLATION}: expected an answer within {WITHIN_S} s, found {{last!r}}"


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
    """Return the installation's state; set an empty log to our newest level.

    For processes that write. If two start at once, one is first and both agree.

    Raises:
        LogUnavailableError, LevelBeyondError: as `whole`.

    """
    installation = await whole(log)
    if installation.position or installation.level > LEVEL_OLDEST or not await _empty(log):
        return installation
    return await decided(
        log,
        lambda now: None if now.position else raise_level(now, LEVEL_NEWEST, clock.now()),
        Author(source, source.partition("/")[0]),
        clock,
    )


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
    decide: Callable[[Installation], AnyInstallationFact | None],
    by: Author,
    clock: Clock,
) -> Installation:
    """Read, decide and append until nothing is left to decide; return the resulting state.

    Raises:
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
                    if (fact := decide(installation)) is None:
                        return installation
                    record_id = uuid4().hex
                    record = Record(
                        record_id, clock.now(), by.source, by.actor, record_id, None,
                        installation.condition(), (fact,),
                    )  # fmt: skip
                    await log.append(INSTALLATION, record, INSTALLATION_KEY)
                    await _appeared(log, installation)
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
