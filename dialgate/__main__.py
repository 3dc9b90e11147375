"""The operator's command line. Exits 0 done, 1 something is wrong, 2 misused."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import lock
from campaigns.process.errors import (
    CarrierUnavailableError,
    ContractError,
    LevelBeyondError,
    OperatingError,
    PartRunningError,
)
from campaigns.process.observability import configure_logging
from campaigns.process.private_files import only_ours
from campaigns.records.topics import CAMPAIGN_RECORDS
from command_api.settings import CommandApiSettings
from dialer.carrier.carrier_settings import CarrierSettings
from dialgate.composition import CARRIER, COMMAND_API, DIALER, PARTS, PROJECTOR, compose
from dialgate.process import MISUSED, WENT_WRONG
from dialgate.settings import ALL, SETTINGS, ProcessSettings, misfits, misspelt, weak_keys
from dialgate.verbs import keys
from dialgate.verbs.terminal import complain, say

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # A traceback is for the log, and shows no secret.
)


def _misused(why: object) -> typer.Exit:
    complain(f"dialgate: {why}")
    return typer.Exit(MISUSED)


def _settings() -> ProcessSettings:
    if sentences := misspelt(os.environ):
        raise _misused("; ".join(sentences))
    for kind in ALL:
        kind()  # Whatever does not fit is told now, whichever part it is of.
    settings = ProcessSettings()
    configure_logging(settings.log_level, as_json=settings.log_json)
    return settings


def _run(names: Sequence[str]) -> None:
    settings = _settings()
    if sentences := weak_keys(settings, CommandApiSettings()):
        for sentence in sentences:
            complain(f"dialgate: {sentence}")
        raise typer.Exit(MISUSED)
    try:
        process = compose(names, settings, say)
        status = asyncio.run(process.serve())
    except (PartRunningError, LevelBeyondError, OSError) as exc:
        raise _misused(exc) from exc
    except (OperatingError, ContractError, CarrierUnavailableError) as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc
    raise typer.Exit(status)


@cli.callback(invoke_without_command=True)
def about(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Outbound calling campaigns whose pause is true when it is answered."""
    if show_version:
        say(version("dialgate"))
        raise typer.Exit


@cli.command()
def up() -> None:
    """Run everything in one process: on the embedded log, or on Kafka when servers are given."""
    _run(PARTS)


@cli.command(COMMAND_API)
def command_api() -> None:
    """Run the command API."""
    _run((COMMAND_API,))


@cli.command(DIALER)
def dialer() -> None:
    """Run a dialer; with the simulated carrier in it unless DIALGATE_CARRIER_URL names one."""
    _run((DIALER,) if CarrierSettings().url else (DIALER, CARRIER))


@cli.command(PROJECTOR)
def projector() -> None:
    """Run the projector: queries, and campaign.events on Kafka."""
    _run((PROJECTOR,))


@cli.command(CARRIER)
def carrier() -> None:
    """Run the simulated carrier as a process of its own."""
    from dialgate import carrier_process

    settings = _settings()
    try:
        lock(settings.data_dir, CARRIER)
        asyncio.run(carrier_process.serve(settings, CarrierSettings(), SystemClock(), say))
    except (PartRunningError, OSError) as exc:
        raise _misused(exc) from exc
    except CarrierUnavailableError as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc


@cli.command()
def replay(
    campaign: Annotated[int | None, typer.Option(help="Only this campaign's records.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Print the log as a reader sees it: accepted, refused and why, foreign."""
    from dialgate.verbs import replay as replay_module

    settings = _settings()
    try:
        status = asyncio.run(replay_module.replay(settings, campaign, as_json=as_json))
    except BrokenPipeError:
        sys.stderr.close()  # The reader of our output has gone: nothing is left to say.
        raise typer.Exit from None
    except OSError as exc:
        raise _misused(exc) from exc
    except (OperatingError, ContractError) as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc
    raise typer.Exit(status)


@cli.command("upgrade")
def raise_level(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Let the newest forms be written: once every process runs this version, and for good."""
    from dialgate.verbs import upgrade

    settings = _settings()
    _decided(upgrade.upgrade(settings, say, dry_run=dry_run, as_json=as_json))


@cli.command("skip")
def skip_record(
    place: Annotated[str, typer.Argument(help="partition@position, as the error says it.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")],
    topic: Annotated[str, typer.Option(help="Of the record.")] = CAMPAIGN_RECORDS,
    yes: Annotated[str | None, typer.Option(help="Its digest, as shown without this.")] = None,
) -> None:
    """Let every reader pass over one record that none can read. Shows it first; for good."""
    from dialgate.verbs import skip

    settings = _settings()
    try:
        _decided(skip.skip(settings, say, skip.Asked(topic, place, reason, yes)))
    except skip.MisusedError as exc:
        raise _misused(exc) from exc


def _decided(deciding: Coroutine[Any, Any, None]) -> None:
    """Let an operator decide on the log itself."""
    try:
        asyncio.run(deciding)
    except (LevelBeyondError, OSError) as exc:
        raise _misused(exc) from exc
    except (OperatingError, ContractError) as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc


@cli.command("demo")
def demonstrate(
    url: Annotated[str | None, typer.Option(help="Of a running system.")] = None,
    contacts: Annotated[int, typer.Option(min=20, max=2000)] = 200,
    carrier_log: Annotated[
        Path | None, typer.Option(help="The carrier's own record, to judge by.")
    ] = None,
) -> None:
    """Show the promise in half a minute: start, pause in the middle, silence, resume, done."""
    from dialgate.verbs import demo

    settings = _settings()
    given = CommandApiSettings().api_key
    if given is None or not (key := given.get_secret_value()):
        raise _misused("DIALGATE_API_KEY: expected a key of the running system, found none")
    address = url or f"http://{settings.host}:{settings.port}"
    raise typer.Exit(demo.run(address, key, contacts, carrier_log or CarrierSettings().log))


cli.add_typer(keys.cli, name="keys")


def main() -> None:
    """Run the command line; settings that do not fit exit with 2."""
    only_ours()
    try:
        cli()
    except ValidationError as exc:
        if exc.title not in SETTINGS:
            raise  # No setting's fault: it says itself whose.
        for sentence in misfits(exc):
            complain(f"dialgate: {sentence}")
        sys.exit(MISUSED)


if __name__ == "__main__":
    main()
