"""`dialgate what-if`: a recorded campaign once more, with other settings. Overrides nothing."""

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError
from rich.table import Table

from campaigns.audit.rulings import PartitionRuling, partitions_of, ruled_batches
from campaigns.domain.campaign import Campaign
from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.domain.zones import zone
from dialgate.settings import ProcessSettings
from dialgate.verbs.demo import picture
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import say, say_table
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    Source,
    checked_settings,
    run_verb,
    source,
)
from dialgate.what_if.campaign_history import CampaignHistory
from dialgate.what_if.comparison import RunSummary, differences, side_by_side
from dialgate.what_if.overrides import Overrides
from dialgate.what_if.simulation import DAYS_MAX, Simulation

CONTACTS_MAX = 200_000  # A run takes some 4 KB of memory for each, and a while.
SHOWN_MAX = 20  # Attempts that went otherwise, as text. JSON has the first thousand.
LISTED_MAX = 1_000
ALL_DAYS = "1234567"


def command(
    campaign: Annotated[int, typer.Argument(min=1, help="The recorded campaign.")],
    calls_per_minute: Annotated[int | None, typer.Option(min=1, max=60_000)] = None,
    max_concurrent_calls: Annotated[int | None, typer.Option(min=1, max=1_000)] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=10)] = None,
    retry_delay_minutes: Annotated[int | None, typer.Option(min=5, max=1440)] = None,
    hours: Annotated[
        str | None, typer.Option(help="Call only then, such as 09:00-17:00; `any`: always.")
    ] = None,
    days: Annotated[str, typer.Option(help="Days of --hours: 1 is Monday.")] = ALL_DAYS,
    time_zone: Annotated[str, typer.Option(help="Of --hours.")] = "UTC",
    seed: Annotated[int, typer.Option(help="Decides how attempts end that were never made.")] = 0,
    contacts_max: Annotated[
        int, typer.Option(min=1, help="Refuse a larger campaign: each takes memory, and a while.")
    ] = CONTACTS_MAX,
    as_json: AsJson = False,
    exported: FromFile = None,
) -> None:
    """Run a recorded campaign once more with other settings, and show both side by side.

    The dialer is the real one; time, carrier and log are simulated, and no socket is opened. What
    people did (starts, pauses, imports) happens at the recorded instants. Attempts that were
    recorded go as recorded; others are drawn with the recorded shares and durations.
    """
    overrides = Overrides(
        calls_per_minute,
        max_concurrent_calls,
        max_attempts,
        retry_delay_minutes,
        _hours(hours, days, time_zone),
        any_hours=hours == "any",
    )
    asked = what_if(
        checked_settings(), campaign, overrides, seed, exported, as_json=as_json,
        contacts_max=contacts_max,
    )  # fmt: skip
    run_verb(asked)


async def what_if(
    settings: ProcessSettings,
    campaign: int,
    overrides: Overrides,
    seed: int,
    exported: Path | None,
    *,
    as_json: bool,
    contacts_max: int = CONTACTS_MAX,
) -> int:
    """Print a recorded campaign beside the same with other settings. Returns 0.

    Raises:
        MisusedError: there is no such campaign, it made no call, or it is too large.
        ContractError, LogUnavailableError: the log cannot be read.

    """
    async with source(settings, exported) as opened:
        recording = await recorded(opened, campaign, contacts_max)
    stop, seen = threading.Event(), [0]
    with progress("contacts simulated", _found(recording).counters.total) as advance:

        def on_progress(done: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            advance(done - seen[0])
            seen[0] = done

        simulation = Simulation(recording, overrides, seed, on_progress=on_progress)
        try:  # In a thread: its event loop is on virtual time.
            other = await asyncio.to_thread(simulation.run)
        except asyncio.CancelledError:
            stop.set()
            raise
    found = _found(recording)
    before = RunSummary(found.status, recording.courses, recording.moments)
    shape = _shape(recording, simulation, before, other)
    if as_json:
        say(orjson.dumps(shape).decode())
    else:
        _show(simulation, before, other, shape)
    return 0


async def recorded(
    opened: Source, campaign: int, contacts_max: int = CONTACTS_MAX
) -> CampaignHistory:
    """Read a campaign's recording: once for its lists, and once for all the rest.

    Raises:
        MisusedError: there is no such campaign, it made no call, or it is too large.

    """
    recording = CampaignHistory(campaign)
    (partition,) = partitions_of(opened.log, campaign)
    skipped = opened.installation.skipped.get(partition, {})
    end = (await opened.log.ends([partition]))[partition]
    for take in (recording.note_lists, recording.take):
        ruling = PartitionRuling(skipped)
        async for batch in ruled_batches(opened.log, partition, ruling, until=end):
            for ruled in batch:
                if ruled.accepted:
                    take(ruled.recorded)
    if (contacts := _found(recording).counters.total) > contacts_max:
        raise MisusedError(
            f"expected a campaign of at most {contacts_max} contacts (--contacts-max), found"
            f" {contacts}"
        )
    if not recording.courses:
        raise MisusedError(f"expected a campaign that made calls, found none of {campaign}")
    return recording


def _found(recording: CampaignHistory) -> Campaign:
    if recording.campaign is None:
        raise MisusedError(
            f"expected a recorded campaign, found no campaign {recording.campaign_id}"
        )
    return recording.campaign


def _hours(hours: str | None, days: str, time_zone: str) -> CallingHours | None:
    """Return the calling hours that the options give."""
    if hours in (None, "any"):
        return None
    start, _, end = str(hours).partition("-")
    wanted = {
        "start": start,
        "end": end,
        "days": [int(day) for day in days if day.isdecimal()],
        "time_zone": time_zone,
    }
    try:
        zone(time_zone)
        found = CallingHours.validated(wanted)
    except (ValidationError, LookupError) as exc:
        raise typer.BadParameter(
            "expected --hours such as 09:00-17:00, --days such as 12345, and a time zone's name,"
            f" found {hours}, {days}, {time_zone}"
        ) from exc
    if found.start == found.end or not found.days or set(days) - set(ALL_DAYS):
        raise typer.BadParameter(f"expected hours that open and days 1 to 7, found {hours}, {days}")
    return found


def _shape(
    recording: CampaignHistory, simulation: Simulation, before: RunSummary, other: RunSummary
) -> dict[str, Any]:
    """Return both runs as one JSON object."""
    found, settings = differences(before, other), _found(recording).settings
    return {
        "campaign_id": recording.campaign_id,
        "settings": {
            "recorded": orjson.loads(settings.as_json()),
            "what_if": orjson.loads(simulation.overrides.applied(settings).as_json()),
        },
        "recorded": before.shape(),
        "what_if": other.shape() | {"finished": simulation.finished},
        "same_attempts": len(before.courses.keys() | other.courses.keys()) - len(found),
        "differences": len(found),
        "first_differences": found[:LISTED_MAX],
        "not_repeated": simulation.not_done,
    }


def _show(
    simulation: Simulation, before: RunSummary, other: RunSummary, shape: dict[str, Any]
) -> None:
    table = Table("", "recorded", "what if")
    changed = {
        name: (was, shape["settings"]["what_if"][name])
        for name, was in shape["settings"]["recorded"].items()
        if shape["settings"]["what_if"][name] != was
    }
    for name, (was, now) in changed.items():
        table.add_row(name, str(was), str(now))
    for name, was, now in side_by_side(before, other):
        table.add_row(name, was, now)
    say_table(table)
    for title, summary in (("recorded", before), ("what if", other)):
        say(f"{title}: {_picture(summary, before, other)}")
    for sentence in shape["first_differences"][:SHOWN_MAX]:
        say(sentence)
    if shape["differences"] > SHOWN_MAX:
        say(f"… and {shape['differences'] - SHOWN_MAX} more attempts that went otherwise")
    if not shape["differences"]:
        say(f"all {shape['same_attempts']} attempts went as recorded")
    for sentence in simulation.not_done:
        say(f"at {sentence}")
    if not simulation.finished:
        say(f"it was not over {DAYS_MAX} days after the last thing that people did")


def _picture(summary: RunSummary, *both: RunSummary) -> str:
    """Draw one run's calls; both runs on one scale of time."""
    ends = [at for one in both for at in (*one.began, *(at for at, _ in one.moments))]
    marks = [(at.timestamp(), what) for at, what in summary.moments]
    frame = [(min(ends).timestamp(), "begin"), *marks, (max(ends).timestamp(), "end")]
    return picture([at.timestamp() for at in summary.began], frame)
