"""`dialgate log`: the records of the log as a reader sees them. Writes and locks nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from campaigns.audit.contact_history import ErasedThrough
from campaigns.audit.record_filter import EVERYTHING, RecordFilter
from campaigns.audit.rulings import (
    VERB_BATCH_MAX,
    PartitionRuling,
    Ruled,
    partitions_of,
    ruled_batches,
)
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.log.installation_log import read_on
from campaigns.log.port import ReadableLog
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.topics import Partition
from dialgate.pictures.record_lines import json_lines, show_records
from dialgate.settings import ProcessSettings
from dialgate.verbs.history.log_filters import contact_of, instant_of, types_of
from dialgate.verbs.history.row_display import RowDisplay
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say_json
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    OfCampaign,
    Reveal,
    Source,
    checked_settings,
    misused,
    no_campaign,
    run_verb,
    source,
)

POLL_S = 0.25  # Between two looks at the log's end, with --follow.

Show = Callable[[Sequence[Ruled]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LogView:
    """Which records to show, and how."""

    chosen: RecordFilter = EVERYTHING
    as_json: bool = False
    reveal: bool = False  # Show personal data.
    follow: bool = False
    exported: Path | None = None


def command(
    campaign: OfCampaign = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="Only with such a fact: campaign-paused, or campaign-paused.v1."
        ),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only for this actor: whole, or whole words of it.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only from this instant on.")] = None,
    until: Annotated[str | None, typer.Option(help="Only up to this instant.")] = None,
    contact: Annotated[
        str | None, typer.Option(help="Only of this contact: CAMPAIGN/CONTACT, such as 42/7.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option(help="Only with this correlation id: one request's.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new records until interrupted.")
    ] = False,
    reveal: Reveal = False,
    as_json: AsJson = False,
    exported: FromFile = None,
) -> None:
    """Print the records of the log, each with its ruling and the reason for it.

    Rulings: accepted, refused (with the conflict), foreign (with the reason), skipped.
    """
    settings = checked_settings()
    try:
        chosen = RecordFilter(
            campaign_id=campaign,
            types=types_of(types or ()),
            actor=actor,
            since=instant_of("--since", since),
            until=instant_of("--until", until),
            contact=contact_of(contact, campaign),
            correlation=correlation,
        )
        if follow and exported:
            raise MisusedError("--follow: expected a log, found an export, which never grows")
    except MisusedError as exc:
        raise misused(exc) from exc
    try:
        run_verb(log(settings, LogView(chosen, as_json, reveal, follow, exported)))
    except KeyboardInterrupt:
        raise typer.Exit from None  # How --follow ends.


async def log(settings: ProcessSettings, view: LogView) -> int:
    """Print what is in the log now, partition by partition; then, if asked to, what comes.

    Returns 0.

    Raises:
        ContractError: this build does not know an accepted fact; those before it are printed.
        LogUnavailableError: the log cannot be reached at first.
        MisusedError: the campaign that was asked for is not in the log, and may not come.

    """
    printed, erased = False, ErasedThrough()

    def takes(one: Ruled) -> bool:
        taken = view.chosen.takes(one, erased)
        if view.chosen.contact and one.accepted:
            for fact in one.recorded.facts:
                erased.fold(fact)
        return taken

    async with source(settings, view.exported) as read:
        display = RowDisplay(read, reveal=view.reveal)

        async def show(batch: Sequence[Ruled]) -> None:
            nonlocal printed
            chosen = batch if view.chosen.empty else [one for one in batch if takes(one)]
            await display.look_ahead(batch, chosen)
            if not chosen:
                return
            printed = True
            if view.as_json:
                say_json(json_lines(chosen, reveal=view.reveal, rows=display.rows))
            else:
                show_records(chosen, reveal=view.reveal, rows=display.rows)

        rulings = {
            partition: PartitionRuling(
                read.installation.skipped.get(partition, {}), keeps_digest=False
            )
            for partition in _partitions(read, view.chosen)
        }
        await _history(read, rulings, show)
        if not (printed or view.follow):
            _expect_campaign(view.chosen.campaign_id, rulings.values())
        if view.follow:
            async for batch in coming(read, rulings):
                await show(batch)
    return 0


def _partitions(read: Source, chosen: RecordFilter) -> Sequence[Partition]:
    campaign_id = chosen.campaign_id
    if campaign_id is None and chosen.contact is not None:
        campaign_id = int(chosen.contact.split("/")[1])
    return tuple(partitions_of(read.log, campaign_id))


def _expect_campaign(campaign_id: int | None, rulings: Iterable[PartitionRuling]) -> None:
    """Refuse the number of no campaign: nothing would look like a campaign that did nothing."""
    if campaign_id is not None and not any(
        one.ledger.version(campaign_stream(campaign_id)) for one in rulings
    ):
        raise no_campaign(campaign_id)


async def _history(read: Source, rulings: dict[Partition, PartitionRuling], show: Show) -> None:
    ends = await read.log.ends(rulings)
    with progress("records read", sum(ends.values()), among_lines=True) as advance:
        for partition, ruling in rulings.items():
            batches = ruled_batches(
                read.log, partition, ruling, until=ends[partition], batch_max=VERB_BATCH_MAX
            )
            async for batch in batches:
                await show(batch)
                advance(len(batch))


async def coming(
    read: Source, rulings: dict[Partition, PartitionRuling]
) -> AsyncIterator[Sequence[Ruled]]:
    """Yield new records as they come, without end. Waits for outages to end, and says so.

    Raises:
        ContractError, LogCutError: as `ruled_batches`.

    """
    silent = False
    while True:
        try:
            await read_on(read.log, read.installation)
            for partition, end in (await read.log.ends(rulings)).items():
                ruling = rulings[partition]
                ruling.skipped = read.installation.skipped.get(partition, {})
                await expect(read.log, partition, ruling, end)
                async for batch in ruled_batches(read.log, partition, ruling, until=end):
                    yield batch
        except LogUnavailableError as exc:
            if isinstance(exc.__cause__, LogCutError):
                raise exc.__cause__ from None  # It does not come back.
            if not silent:
                complain(f"dialgate: {exc}; waiting for the log to answer again")
            silent = True
        else:
            if silent:
                complain("dialgate: the log answers again")
            silent = False
        await asyncio.sleep(POLL_S)


async def expect(log: ReadableLog, partition: Partition, ruling: PartitionRuling, end: int) -> None:
    """Refuse a log that is no longer the one that was read. `end`: its end now.

    Raises:
        LogCutError: it ends earlier, or has another record where the last one was read.
        LogUnavailableError: the log does not answer.

    """
    last = ruling.last
    if last is None or end == ruling.position:
        return
    again = await log.read(partition, last.position - 1, 1) if end > last.position else ()
    if not again or (again[0].position, again[0].raw) != (last.position, last.raw):
        raise LogCutError(
            f"{partition}@{last.position}: expected the record that was read here, found"
            f" {'another' if again else f'an end at {end}'}: the log was cut, or made again"
        )
