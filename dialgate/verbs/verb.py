"""What all verbs share: settings, exit codes, and the log that they read."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from campaigns.audit.transfer.export_log import ExportLog
from campaigns.log.installation_log import whole
from campaigns.log.port import ReadableLog
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.process.errors import (
    ContractError,
    ExportUnreadableError,
    LevelBeyondError,
    LogUnavailableError,
    OperatingError,
    PartRunningError,
    SealUnreadableError,
    TopicMisfitError,
)
from campaigns.process.observability import configure_logging
from campaigns.records.installation import Installation
from campaigns.secrets.key_place import KNOB
from campaigns.secrets.master_key import MasterKeyError
from dialgate.exit_codes import MISUSED, WENT_WRONG
from dialgate.logs import make_log
from dialgate.settings import ALL, ProcessSettings, misspelt
from dialgate.verbs.terminal import complain

OfCampaign = Annotated[int | None, typer.Option("--campaign", min=1, help="Only this campaign.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show numbers, names and other personal data.")
]
FromFile = Annotated[
    Path | None, typer.Option("--from", help="Read this export instead of the log.")
]


class MisusedError(Exception):
    """The arguments of a verb do not fit: one sentence, exit code 2."""


_UNREADABLE = (
    MisusedError,
    LevelBeyondError,
    LogUnavailableError,
    TopicMisfitError,
    ExportUnreadableError,
    SealUnreadableError,
    MasterKeyError,
    KeyUnavailableError,
    PartRunningError,
    OSError,
)


class Source(NamedTuple):
    """An open log to look at, and what was decided for the whole installation."""

    log: ReadableLog
    installation: Installation


def misused(why: object) -> typer.Exit:
    """Print why the command line or a setting does not fit; return the exit."""
    complain(f"dialgate: {why}")
    return typer.Exit(MISUSED)


def no_campaign(campaign_id: int) -> MisusedError:
    """Return what is said of a campaign that was asked for and is not in the log."""
    return MisusedError(f"--campaign: expected a campaign of this log, found {campaign_id}")


def checked_settings(*, serves: bool = False) -> ProcessSettings:
    """Return the process's settings, after those of all parts were validated; set up its logs.

    `serves`: it runs a part, and whatever library logs must be heard.

    Raises:
        ValidationError: a setting does not fit; `main` says which.

    """
    if sentences := misspelt(os.environ):
        raise misused("; ".join(sentences))
    for kind in ALL:
        kind()
    settings = ProcessSettings()
    configure_logging(settings.log_level, as_json=settings.log_json, of_structlog=serves)
    return settings


@asynccontextmanager
async def source(settings: ProcessSettings, exported: Path | None = None) -> AsyncIterator[Source]:
    """Open the log that the settings name, or an export, to read it. Writes and locks nothing.

    The embedded log may be in use; on Kafka the rights to read are enough.

    Raises:
        LevelBeyondError: this build is too old for the log.
        LogUnavailableError: the log cannot be reached.
        ExportUnreadableError, OSError: the export cannot be read.

    """
    log: ReadableLog
    if exported is None:
        log = make_log(settings, exclusive=False, read_only=True)
    else:
        log = ExportLog(exported)
    try:
        await log.open()
        yield Source(log, await whole(log))
    finally:
        await log.close()


def keyless(read: Source) -> str | None:
    """Return why there are no keys of encrypted contacts. None: there is a place for them."""
    if read.log.list_keys is not None:
        return None
    return "an export has no keys" if isinstance(read.log, ExportLog) else f"no {KNOB} is given"


def refuse_part(log: ReadableLog, what: str) -> None:
    """Refuse an export of one campaign, which is not a whole log. `what`: cannot be done to it.

    Raises:
        MisusedError: it is one.

    """
    if isinstance(log, ExportLog) and log.manifest.campaign is not None:
        raise MisusedError(f"{log.path}: an export of one campaign cannot be {what}")


def run_verb(verb: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Run a verb; exit with the code that it returns (None: 0), or with what went wrong.

    Exit codes: 0 done, 1 something is wrong and is shown, 2 misused or unreadable.
    """
    try:
        status = asyncio.run(verb)
    except BrokenPipeError:
        sys.stderr.close()  # Such as `dialgate log | head`.
        raise typer.Exit from None
    except _UNREADABLE as exc:
        raise misused(exc) from exc
    except (OperatingError, ContractError) as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc
    raise typer.Exit(status or 0)
