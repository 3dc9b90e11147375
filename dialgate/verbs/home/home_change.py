"""What `adopt` and `retire` share: an open log that has a home, and a question to the operator."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, NamedTuple

import typer

from campaigns.domain.facts import HomeChosen
from campaigns.log.installation_log import Author, decided, whole
from campaigns.log.port import EventLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partitions
from dialgate.logs import LOG_FILE, make_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.verb import MisusedError

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class LastRecord(NamedTuple):
    """The youngest record of a log."""

    place: str  # partition@position.
    time: str


class OpenHome(NamedTuple):
    """An open log, and what was decided for the whole installation."""

    log: EventLog
    installation: Installation
    clock: SystemClock

    async def decide(self, by: str, fact: HomeChosen) -> HomeChosen:
        """Record a choice, unless another one was recorded meanwhile. Returns the home."""
        before = self.installation.home
        after = await decided(
            self.log,
            lambda now: fact if now.home == before else None,
            Author(f"dialgate {by}", "operator"),
            self.clock,
        )
        assert after.home is not None, "one was chosen"
        if after.home.claim != fact.claim:
            raise MisusedError("another home was chosen at the same moment: look, and try again")
        return after.home


@asynccontextmanager
async def open_home(settings: ProcessSettings) -> AsyncIterator[OpenHome]:
    """Open the log that the settings name, also while Dialgate runs.

    Raises:
        MisusedError: its level knows no homes.
        LogUnavailableError: there is no log, or it does not answer.

    """
    if not settings.kafka_servers and not (settings.data_dir / LOG_FILE).is_file():
        raise LogUnavailableError(f"expected a log in {settings.data_dir}, found none")
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        installation = await whole(log)
        if installation.level < HomeChosen.SINCE:
            raise MisusedError(
                f"expected a log of level {HomeChosen.SINCE}, found level {installation.level}: it"
                " has no home, and a copy of it dials; `dialgate upgrade` changes both"
            )
        yield OpenHome(log, installation, SystemClock())
    finally:
        await log.close()


async def last_record(log: EventLog) -> LastRecord | None:
    """Return the youngest record of the campaigns. None: there is none."""
    found: list[tuple[datetime, str]] = []
    partitions = campaign_partitions(log.partitions(CAMPAIGN_RECORDS))
    for partition, end in (await log.ends(partitions)).items():
        for recorded in await log.read(partition, end - 1, 1) if end else ():
            if isinstance(envelope := recorded.envelope, Envelope):
                at = datetime.fromisoformat(envelope.time)
                found.append((at, f"{partition.number}@{recorded.position}"))
    return LastRecord(max(found)[1], max(found)[0].isoformat()) if found else None


def confirmed(question: str, *, yes: bool) -> None:
    """Ask on a terminal.

    Raises:
        MisusedError: the answer is no, or nobody can be asked.

    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise MisusedError("nothing was recorded: expected --yes, or a terminal to ask on")
    if not typer.confirm(question, err=True):
        raise MisusedError("nothing was recorded")
