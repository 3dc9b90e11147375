"""`dialgate verify`: judges the log by the invariants of the architecture page. Writes nothing."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import orjson
import typer

from campaigns.audit.ring_index import RingIndex, RingLineError
from campaigns.audit.rulings import partitions_of
from campaigns.audit.verification import VIOLATIONS_MAX, Findings, Verification
from campaigns.log.port import ReadableLog
from campaigns.process.errors import ContractError, LogCutError
from campaigns.records.topics import CAMPAIGN_RECORDS, RECORD_TOPICS, Partition
from dialgate.exit_codes import WENT_WRONG
from dialgate.settings import ProcessSettings
from dialgate.verbs.evidence.signatures import Signed, verify_signed
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    OfCampaign,
    Reveal,
    checked_settings,
    misused,
    no_campaign,
    run_verb,
    source,
)

PLACE = "partition@position, such as 0@900; of another topic such as organization.records/0@3"


def command(
    campaign: OfCampaign = None,
    at: Annotated[
        list[str] | None, typer.Option(help=f"Print the digest there, too: {PLACE}. Repeatable.")
    ] = None,
    rings: Annotated[
        list[Path] | None,
        typer.Option(help="A carrier's own ring log (DIALGATE_CARRIER_LOG). Repeatable."),
    ] = None,
    at_rest: Annotated[
        bool,
        typer.Option(
            "--at-rest", help="Nothing more will come: judge also what is not done in the end."
        ),
    ] = False,
    violations_max: Annotated[
        int, typer.Option("--max", min=1, help="List at most so many violations; all are counted.")
    ] = VIOLATIONS_MAX,
    seal: Annotated[
        Path | None, typer.Option(help="Compare the log with these seals instead.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="Check this proof bundle instead, without the log.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="The public key that seals are signed with, in PEM.")
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Judge the whole log by the invariants of docs/architecture.md, and print its digests.

    With --public-key and --seal: say instead whether the log is what was sealed, and where it first
    differs; with --proof: check a bundle of `dialgate proof`. Exit code 1: it is not as promised.
    """
    settings = checked_settings()
    if seal or proof or public_key:
        if campaign or at or rings or at_rest:
            raise misused("--seal and --proof: expected no other option of this verb")
        signed = Signed(seal, proof, public_key, reveal)
        run_verb(verify_signed(settings, signed, as_json=as_json, exported=exported))
    asked = WhatToJudge(campaign, tuple(at or ()), tuple(rings or ()), at_rest, violations_max)
    run_verb(verify(settings, asked, as_json=as_json, exported=exported))


class WhatToJudge(NamedTuple):
    """What is to be judged, and with what."""

    campaign: int | None = None  # None: all.
    at: Sequence[str] = ()  # Where digests are taken, besides the ends.
    rings: Sequence[Path] = ()  # Ring logs of carriers.
    at_rest: bool = False
    violations_max: int = VIOLATIONS_MAX


async def verify(
    settings: ProcessSettings, asked: WhatToJudge, *, as_json: bool, exported: Path | None = None
) -> int:
    """Judge what is in the log now, and print what was found; return the exit code.

    Raises:
        LogCutError: a record that was skipped is another one.
        MisusedError: the log or a ring log cannot be read, or `at` names no place in the log.

    """
    async with source(settings, exported) as (log, installation):
        with rings_of(asked.rings) as rings, progress() as step:
            verification = Verification(
                log,
                installation,
                partitions_of(log, asked.campaign),
                rings,
                asked.campaign,
                asked.at_rest,
                asked.violations_max,
                await places(log, asked.at),
                step,
            )
            try:
                findings = await verification.run()
            except LogCutError:
                raise
            except ContractError as exc:
                raise MisusedError(exc) from exc
    if asked.campaign is not None and not (verification.campaign_met or findings.found):
        raise no_campaign(asked.campaign)
    show(findings, as_json=as_json)
    return WENT_WRONG if findings.found else 0


@contextmanager
def rings_of(paths: Sequence[Path]) -> Iterator[RingIndex | None]:
    """Read ring logs, before the log: so every ring in them has its permission in the log.

    Raises:
        MisusedError: one cannot be read, or is no ring log.

    """
    if not paths:
        yield None
        return
    index = RingIndex()
    try:
        for path in paths:
            try:
                index.read(path)
            except (OSError, RingLineError) as exc:
                raise MisusedError(f"--rings: {exc}") from exc
        yield index
    finally:
        index.close()


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """Show on a terminal's stderr how many records were judged; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} records judged"))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("judge", total=None)
        yield lambda records: bar.advance(task, records)


async def places(log: ReadableLog, at: Sequence[str]) -> Mapping[Partition, Collection[int]]:
    """Read the places that digests are asked for.

    Raises:
        MisusedError: one is no place, or lies after the log's end.

    """
    found: dict[Partition, set[int]] = {}
    for text in at:
        where, _, position = text.rpartition("@")
        topic, _, number = where.rpartition("/")
        partition = Partition(topic or CAMPAIGN_RECORDS, int(number) if number.isdecimal() else -1)
        if partition.topic not in RECORD_TOPICS or not position.isdecimal() or partition.number < 0:
            raise MisusedError(f"--at: expected {PLACE}, found {text!r}")
        count = log.partitions(partition.topic)
        if partition.number >= count:
            raise MisusedError(f"--at {text}: expected one of {count} partitions")
        end = (await log.ends([partition]))[partition]
        if int(position) > end:
            raise MisusedError(f"--at {text}: expected at most {end}, the log's end")
        found.setdefault(partition, set()).add(int(position))
    return found


def show(findings: Findings, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        say(orjson.dumps(findings.shape()).decode())
        return
    for violation in findings.violations:
        of = f"  campaign {violation.campaign_id}" if violation.campaign_id else ""
        call = f"  call {violation.call_id}" if violation.call_id else ""
        say(f"{violation.at}{of}{call}: {violation.what}")
        say(f"    breaks {violation.invariant}. {violation.sentence}")
    if more := findings.found - len(findings.violations):
        say(f"and {more} more (--max)")
    counts = ", ".join(f"{n} {ruling.value}" for ruling, n in findings.by_ruling.items())
    say(f"{findings.records} records: {counts}; {findings.open} calls open")
    for where, digest in findings.digests.items():
        say(f"{where}  {digest}")
    say(f"{findings.found} violations" if findings.found else "Every promise was kept.")
