"""The operator's command line. What a verb needs is imported when it is called: it starts soon."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from campaigns.process.errors import (
    CarrierUnavailableError,
    ContractError,
    LevelBeyondError,
    OperatingError,
    PartRunningError,
)
from campaigns.process.garbage import GC_AFTER
from campaigns.process.private_files import only_ours
from campaigns.records.topics import CAMPAIGN_RECORDS
from dialgate.exit_codes import MISUSED, WENT_WRONG
from dialgate.part_names import CARRIER, COMMAND_API, DIALER, PARTS, PROJECTOR
from dialgate.verb_group import VerbGroup
from dialgate.verbs.terminal import complain, say

cli = typer.Typer(
    cls=VerbGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Run Dialgate, and look after its log and its API keys. Settings are environment"
    " variables, DIALGATE_…; a secret may also be in a file, which DIALGATE_…_FILE names.",
    epilog="Exit codes: 0 success, 1 the command failed, 2 wrong usage or a setting that does not"
    " fit.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # A traceback is for the log, and shows no secret.
)


def _run(names: Sequence[str]) -> None:
    import asyncio

    from campaigns.secrets.master_key import MasterKeyError
    from command_api.settings import CommandApiSettings
    from dialgate.composition import compose
    from dialgate.settings import weak_keys
    from dialgate.verbs.verb import checked_settings, misused

    settings = checked_settings(serves=True)
    if sentences := weak_keys(settings, CommandApiSettings()):
        for sentence in sentences:
            complain(f"dialgate: {sentence}")
        raise typer.Exit(MISUSED)
    try:
        process = compose(names, settings, say)
        status = asyncio.run(process.serve())
    except (PartRunningError, LevelBeyondError, MasterKeyError, OSError) as exc:
        raise misused(exc) from exc
    except (OperatingError, ContractError, CarrierUnavailableError) as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc
    raise typer.Exit(status)


@cli.callback(invoke_without_command=True)
def about(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run a verb, or print the version."""
    if show_version:
        from importlib.metadata import version

        say(version("dialgate"))
        raise typer.Exit


@cli.command()
def up() -> None:
    """Run all parts in one process, on an embedded log unless DIALGATE_KAFKA_SERVERS is set."""
    _run(PARTS)


@cli.command(COMMAND_API)
def command_api() -> None:
    """Run the command API: every request that changes something."""
    _run((COMMAND_API,))


@cli.command(DIALER)
def dialer() -> None:
    """Run a dialer. Without DIALGATE_CARRIER_URL it simulates a carrier."""
    from dialer.carrier.carrier_settings import CarrierSettings

    _run((DIALER,) if CarrierSettings().url else (DIALER, CARRIER))


@cli.command(PROJECTOR)
def projector() -> None:
    """Run the projector: queries and live updates."""
    _run((PROJECTOR,))


@cli.command(CARRIER)
def carrier() -> None:
    """Run the simulated carrier in a process of its own."""
    import asyncio

    from campaigns.process.clock import SystemClock
    from dialer.carrier.carrier_settings import CarrierSettings
    from dialgate import carrier_process
    from dialgate.logs import lock_part
    from dialgate.verbs.verb import checked_settings, misused

    settings = checked_settings(serves=True)
    try:
        lock_part(settings, CARRIER)
        asyncio.run(carrier_process.serve(settings, CarrierSettings(), SystemClock(), say))
    except (PartRunningError, OSError) as exc:
        raise misused(exc) from exc
    except CarrierUnavailableError as exc:
        complain(f"dialgate: {exc}")
        raise typer.Exit(WENT_WRONG) from exc


@cli.command("upgrade")
def raise_level(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Raise the log to the newest level of this version.

    Run it once every process runs this version. Older versions cannot read the log afterwards, and
    the level cannot be lowered.
    """
    from dialgate.verbs import upgrade
    from dialgate.verbs.verb import checked_settings, run_verb

    settings = checked_settings()
    run_verb(upgrade.upgrade(settings, say, dry_run=dry_run, as_json=as_json))


@cli.command("skip")
def skip_record(
    place: Annotated[
        str,
        typer.Argument(help="The record, as partition@position, copied from the error message."),
    ],
    reason: Annotated[str, typer.Option(help="Why it is skipped. Recorded in the log.")],
    topic: Annotated[str, typer.Option(help="The topic of the record.")] = CAMPAIGN_RECORDS,
    yes: Annotated[
        str | None,
        typer.Option(help="Confirm with the digest that the command prints without --yes."),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show numbers, names and other personal data.")
    ] = False,
) -> None:
    """Skip one record that stops every reader.

    Prints the record first, and skips it once --yes confirms its digest. This cannot be undone.
    """
    from dialgate.verbs import skip
    from dialgate.verbs.verb import checked_settings, run_verb

    settings = checked_settings()
    run_verb(skip.skip(settings, say, skip.Asked(topic, place, reason, yes, reveal)))


@cli.command("demo")
def demonstrate(
    url: Annotated[str | None, typer.Option(help="The address of the running system.")] = None,
    contacts: Annotated[int, typer.Option(min=20, max=2000, help="Of the campaign.")] = 200,
    carrier_log: Annotated[
        Path | None,
        typer.Option(help="The carrier's own log of rings, to count by instead of the executions."),
    ] = None,
) -> None:
    """Run a campaign with a pause, and draw its calls.

    Needs a running system and DIALGATE_API_KEY. Takes half a minute.
    """
    from command_api.settings import CommandApiSettings
    from dialer.carrier.carrier_settings import CarrierSettings
    from dialgate.verbs import demo
    from dialgate.verbs.verb import checked_settings, misused

    settings = checked_settings()
    given = CommandApiSettings().api_key
    if given is None or not (key := given.get_secret_value()):
        raise misused("DIALGATE_API_KEY: expected an API key of the running system, found none")
    address = url or f"http://{settings.host}:{settings.port}"
    raise typer.Exit(demo.run(address, key, contacts, carrier_log or CarrierSettings().log))


def main() -> None:
    """Run the command line; exit with 2 when a setting does not fit."""
    gc.set_threshold(GC_AFTER)  # First: a start makes much that stays.
    only_ours()
    try:
        cli()
    except ValueError as exc:
        from pydantic import ValidationError

        from dialgate.settings import SETTINGS, misfits

        if not isinstance(exc, ValidationError) or exc.title not in SETTINGS:
            raise  # Not about a setting: a bug.
        for sentence in misfits(exc):
            complain(f"dialgate: {sentence}")
        sys.exit(MISUSED)


if __name__ == "__main__":
    main()
