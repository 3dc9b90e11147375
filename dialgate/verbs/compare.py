"""`dialgate compare`: what two builds make of one log, and where they differ."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from campaigns.log.installation_log import whole
from campaigns.process.errors import OperatingError
from campaigns.records.topics import Partition, partition_of
from dialgate.build_differences import Compared, Lines, rulings, views
from dialgate.exit_codes import DONE, MISUSED, WENT_WRONG
from dialgate.logs import make_log
from dialgate.settings import PREFIX, ProcessSettings
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import (
    AsJson,
    MisusedError,
    OfCampaign,
    checked_settings,
    misused,
    no_campaign,
    run_verb,
)

LINE_BYTES_MAX = 16 * 2**20  # A row of the views: a campaign's state is below a megabyte.


class BuildFailedError(OperatingError):
    """One of the builds could not fold the log."""


def command(
    other: Annotated[
        Path | None, typer.Argument(help="The other build's `dialgate`: its path.")
    ] = None,
    show: Annotated[
        int, typer.Option(min=0, max=10_000, help="Differences that are printed.")
    ] = 20,
    campaign: OfCampaign = None,
    as_json: AsJson = False,
    rows: Annotated[bool, typer.Option("--rows", hidden=True)] = False,
    at: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Fold the log with another build and with this one, and print what differs.

    Compared are all rows of the views, the events among them, as of one position. A build that
    cannot print them is compared by its rulings on each record. Nothing is changed.
    """
    settings = checked_settings()
    if rows:
        run_verb(print_rows(settings, at, campaign))
    if other is None:
        raise misused("compare: expected the path of another build's `dialgate`, found none")
    run_verb(compare(settings, other, campaign, show=show, as_json=as_json))


async def print_rows(settings: ProcessSettings, at: str, campaign: int | None) -> None:
    """Print the views of the log as this build folds it, as lines of JSON.

    Raises:
        ContractError: the log holds a fact that this build does not know.

    """
    from projector.view_lines import first_line, folded, lines

    sys.stdout.buffer.write(first_line() + b"\n")
    sys.stdout.buffer.flush()
    log = make_log(settings, exclusive=False, read_only=True)
    try:
        await log.open()
        store = await folded(log, await whole(log), _ends(at))
    finally:
        await log.close()
    try:
        for line in lines(store, campaign):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    finally:
        store.close()


async def compare(
    settings: ProcessSettings, other: Path, campaign: int | None, *, show: int, as_json: bool
) -> int:
    """Run both builds beside each other, print what differs; return 1 if anything does.

    Raises:
        MisusedError: the other is no `dialgate`, or neither build knows the campaign.

    """
    ends = await _now(settings)
    of = ["--campaign", str(campaign)] if campaign is not None else []
    printing = ["compare", "--rows", "--at", _at(ends), *of]
    replaying = ["replay", "--json", *of]
    found = await _compared(other, printing, lambda ours, theirs: views(ours, theirs, show))
    if found is None:
        found = await _compared(
            other, replaying, lambda ours, theirs: rulings(ours, theirs, ends, show)
        )
    if found is None:
        raise MisusedError(f"{other}: expected another build's `dialgate`")
    if campaign is not None and not found.compared:
        raise no_campaign(campaign)
    if as_json:
        say(orjson.dumps(asdict(found), option=orjson.OPT_NON_STR_KEYS).decode())
    else:
        say("\n".join(_text(found)))
    return WENT_WRONG if found.differences else DONE


async def _now(settings: ProcessSettings) -> Mapping[Partition, int]:
    from projector.rebuild import partitions_of_views

    log = make_log(settings, exclusive=False, read_only=True)
    try:
        await log.open()
        return await log.ends(partitions_of_views(log))
    finally:
        await log.close()


def _at(ends: Mapping[Partition, int]) -> str:
    return ",".join(f"{partition}@{position}" for partition, position in ends.items())


def _ends(at: str) -> Mapping[Partition, int]:
    pairs = (one.rpartition("@") for one in at.split(",") if one)
    return {partition_of(name): int(position) for name, _, position in pairs}


async def _compared(
    other: Path, arguments: Sequence[str], judge: Callable[[Lines, Lines], Awaitable[Compared]]
) -> Compared | None:
    """Run both builds, and judge what they print; None: the other does not know the command.

    Raises:
        BuildFailedError: one of them failed; it has said why on stderr.

    """
    this = [sys.executable, "-m", "dialgate"]
    async with _running([other, *arguments]) as theirs:
        first = await theirs.stdout.readline()
        if not first and await theirs.wait() == MISUSED:
            return None
        async with _running([*this, *arguments]) as ours:
            found = await judge(_lines(ours), _lines(theirs, first))
            for build, process in ((str(other), theirs), ("this build", ours)):
                if status := await process.wait():
                    raise BuildFailedError(f"{build} ended with {status}: nothing is compared")
    return found


@asynccontextmanager
async def _running(command: Sequence[str | Path]) -> AsyncIterator[Any]:  # Any: with a stdout.
    """Run a command to the block's end; its stderr is ours, and it gets the log's settings alone.

    Another build may not know the others, and would refuse them.
    """
    known = {f"{PREFIX}{name}".upper() for name in ProcessSettings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) or name.upper() in known
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment, limit=LINE_BYTES_MAX
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _lines(process: Any, first: bytes = b"") -> Lines:
    if first:
        yield orjson.loads(first)
    async for line in process.stdout:
        yield orjson.loads(line)


def _text(found: Compared) -> Iterator[str]:
    yield from found.shown
    if found.by_field:
        yield "by field: " + ", ".join(f"{n} {many}" for n, many in found.by_field.most_common(20))
    if found.by_campaign:
        named = (f"{one} ({many})" for one, many in found.by_campaign.most_common(20))
        yield f"campaigns that differ: {len(found.by_campaign)}, most of all {', '.join(named)}"
    only = "" if found.what == "rows" else " (the other build cannot print its views)"
    yield f"{found.compared} {found.what} compared{only}: {found.differences} differ"
