"""`dialgate timeline`: the story of one campaign, in words and as a picture. Changes nothing."""

import math
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from campaigns.audit.rulings import PartitionRuling, partitions_of, ruled_batches
from campaigns.audit.stories.abridgement import Abridgement
from campaigns.audit.stories.call_chart import CallChart
from campaigns.audit.stories.fact_place import place_of
from campaigns.audit.stories.phrases import counted, moment
from campaigns.audit.stories.story import Item, Story
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import CallStarted
from campaigns.process.printable_text import one_line
from campaigns.process.private_files import replace_private
from dialgate.pictures.text_chart import WIDTH, text_chart
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import say, say_all, say_paragraph
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    Reveal,
    Source,
    checked_settings,
    misused,
    run_verb,
    source,
)

MARKS_SHOWN = 12  # Below the chart; more would be a wall. The story has them all.


def command(
    campaign: Annotated[int, typer.Argument(min=1, help="The campaign's id.", metavar="CAMPAIGN")],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page that needs nothing else."),
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Tell the story of a campaign: who did what, the receipts of its pauses, its calls over time.

    Calls are counted by the minute; of a long campaign neighbouring minutes are summed up. With
    --json each item is a line, as the timeline's route shows it.
    """
    if html is not None and as_json:
        raise misused("--html: expected a page or --json, found both")
    settings = checked_settings()
    run_verb(timeline(settings, campaign, html, as_json=as_json, exported=exported, reveal=reveal))


@dataclass(slots=True)
class Timeline:
    """What is shown of a campaign: bounded, however many calls it has."""

    story: Story = field(default_factory=Story)
    chart: CallChart = field(default_factory=CallChart)
    abridged: Abridgement = field(default_factory=Abridgement)

    @property
    def campaign(self) -> Campaign:
        """Return the campaign as of the log's end."""
        assert self.story.campaign is not None, "it was created"
        return self.story.campaign


async def timeline(
    settings: ProcessSettings,
    campaign_id: int,
    html: Path | None = None,
    *,
    as_json: bool = False,
    exported: Path | None = None,
    reveal: bool = False,
) -> int:
    """Print a campaign's story, or write it as a page. Returns 0.

    Raises:
        MisusedError: there is no such campaign in the log.
        ContractError: this build does not know an accepted fact.
        LogUnavailableError: the log cannot be reached.
        OSError: the page cannot be written; what stood there before still does.

    """
    told = Timeline(Story(reveal=reveal))
    async with source(settings, exported) as read:
        async for item in _told(read, campaign_id, told, among_lines=as_json):
            if as_json:
                say(orjson.dumps(item.shape()).decode())
            else:
                told.abridged.add(item)
    if told.story.campaign is None:
        raise MisusedError(f"expected a campaign of the log, found no campaign {campaign_id}")
    if html is not None:
        from dialgate.pictures.timeline_page import page

        replace_private(html, page(told.campaign, told.chart, told.abridged.items).encode())
        say(f"{html}: {counted(len(told.abridged.items), 'line')}")
    elif not as_json:
        _print(told)
    return 0


async def _told(
    read: Source, campaign_id: int, told: Timeline, *, among_lines: bool
) -> AsyncIterator[Item]:
    """Yield the story's items, and draw the chart meanwhile."""
    (partition,) = partitions_of(read.log, campaign_id)
    ruling = PartitionRuling(read.installation.skipped.get(partition, {}))
    end = (await read.log.ends([partition]))[partition]
    story, chart = told.story, told.chart
    with progress("records read", end, among_lines=among_lines) as advance:
        async for batch in ruled_batches(read.log, partition, ruling, until=end):
            for recorded, accepted in ((one.recorded, one.accepted) for one in batch):
                if not accepted:
                    continue
                for item in story.tell(recorded, campaign_id):
                    chart.note(item)
                    yield item
                for fact in recorded.facts:
                    if isinstance(fact, CallStarted) and fact.campaign_id == campaign_id:
                        chart.begun(fact, place_of(recorded).at)
            advance(len(batch))
    for item in story.end():
        chart.note(item)
        yield item


def _print(told: Timeline) -> None:
    """Print the campaign, the chart and the story."""
    campaign, counters = told.campaign, told.campaign.counters
    name, status = one_line(campaign.created.name), campaign.status.value
    say(f"Campaign {campaign.campaign_id} “{name}”: {'deleted' if campaign.deleted else status}")
    say(
        f"{counted(counters.total, 'contact')}: {counters.pending:,} pending,"
        f" {counters.in_progress:,} in progress, {counters.completed:,} completed,"
        f" {counters.failed:,} failed, {counters.cancelled:,} cancelled"
    )
    if told.chart.first is not None:
        say(f"\n{drawn(told.chart, min(WIDTH, shutil.get_terminal_size().columns - 10))}\n")
    if not sys.stdout.isatty():
        say_all(f"{when(item)}  {item.actor}  {item.text}" for item in told.abridged.items)
        return
    for item in told.abridged.items:
        head = ((f"{when(item)}  ", "bold"), (f"{item.actor}  ", "cyan"), (item.position, "dim"))
        say_paragraph(head, ((item.text, "dim" if item.calls else ""),))


def drawn(chart: CallChart, columns: int) -> str:
    """Return the chart as text, in at most so many columns."""
    width = max(20, columns)
    marks = [(_column(chart, at, width), label) for at, label in chart.marks]
    if len(marks) > MARKS_SHOWN:
        marks = [marks[0], marks[-1]]
    pauses = []  # Shaded columns lie wholly within a pause.
    for one in chart.pauses:
        first = math.ceil(chart.place(one.since) * width)
        end = math.floor(chart.place(one.until) * width) if one.until else width
        pauses.append((first, max(first, end - 1)))
    return text_chart(chart.columns(width), chart.span_s / width, marks, pauses)


def _column(chart: CallChart, at: datetime, width: int) -> int:
    return min(width - 1, int(chart.place(at) * width))


def when(item: Item) -> str:
    """Return when an item was recorded, for people: an instant, or from when to when."""
    if item.until is None or moment(item.until) == moment(item.at):
        return moment(item.at)
    return f"{moment(item.at)} to {moment(item.until)}"
