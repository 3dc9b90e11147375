"""`dialgate replay-events`: delivers the events of the past once more, at a chosen speed."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from campaigns.audit.event_history import PastEvent, cursor_of, cursor_text, past_events
from campaigns.domain.facts import TAGS
from campaigns.process.clock import Clock, SystemClock
from campaigns.records.cloud_event import CloudEvent, EventId, unversioned
from campaigns.records.tags import UPCASTS
from dialgate.events.pace import Pace
from dialgate.settings import ProcessSettings
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    OfCampaign,
    checked_settings,
    misused,
    run_verb,
    source,
)

if TYPE_CHECKING:
    from dialgate.events.event_targets import EventTarget

STANDARD_OUTPUT = "-"
PROGRESS_S = 5.0  # How often a long replay says how far it is.
SPEED_MAX = 1e6


@dataclass(frozen=True)
class Wanted:
    """Which events are replayed."""

    campaign_id: int | None = None
    types: Collection[str] = ()  # Tags, or tags without their version. Empty: all.
    since: datetime | None = None  # By the time of their record, inclusive.
    until: datetime | None = None  # Exclusive.

    def has(self, past: PastEvent) -> bool:
        """Say whether an event is one of them."""
        tag = past.event.type
        return (
            (not self.types or tag in self.types or unversioned(tag) in self.types)
            and (self.since is None or past.time >= self.since)
            and (self.until is None or past.time < self.until)
        )


@dataclass
class Replay:
    """Delivers events, and knows where to go on."""

    pace: Pace
    clock: Clock
    passed: dict[int, EventId]  # Partition → the last event that has arrived.
    examined: int = 0
    delivered: int = 0
    _spoken_s: float = 0.0

    async def run(
        self, target: "EventTarget", events: AsyncIterator[PastEvent], wanted: Wanted
    ) -> None:
        """Deliver the wanted ones; `passed` moves with what has arrived.

        Raises:
            OperatingError: an event was not delivered; those before it were.

        """
        some: list[CloudEvent] = []
        self._spoken_s = self.clock.monotonic()
        async for past in events:
            self.examined += 1
            if not wanted.has(past):
                continue
            now_s = self.clock.monotonic()
            ahead_s = self.pace.due(past.time, now_s) - now_s
            if some and (self.pace.waits(ahead_s) or len(some) >= target.at_once_max):
                await self._put(target, some)
            if self.pace.waits(ahead_s):
                await asyncio.sleep(ahead_s)
            some.append(past.event)
        if some:
            await self._put(target, some)

    async def _put(self, target: "EventTarget", some: list[CloudEvent]) -> None:
        await target.put(some)
        self.passed.update((one.id.partition, one.id) for one in some)
        self.delivered += len(some)
        some.clear()
        if self.clock.monotonic() - self._spoken_s >= PROGRESS_S:
            self._spoken_s = self.clock.monotonic()
            complain(self.text())

    def text(self) -> str:
        """Say how far it is."""
        return f"{self.delivered} events delivered{self._further}"

    @property
    def _further(self) -> str:
        return f"; to go on from here: --after {cursor_text(self.passed)}" if self.passed else ""

    def shape(self) -> dict[str, object]:
        """Say how far it is, as JSON."""
        return {"delivered": self.delivered, "after": cursor_text(self.passed) or None}


def command(
    to: Annotated[
        str,
        typer.Option(help="https://… (a webhook), kafka:TOPIC, a file, or - (standard output)."),
    ] = STANDARD_OUTPUT,
    speed: Annotated[
        str, typer.Option(help="1 as recorded, 10 ten times as fast, max without waits.")
    ] = "max",
    wait_max_s: Annotated[
        float, typer.Option(min=0.0, help="No wait between two events is longer: seconds.")
    ] = 60.0,
    campaign: OfCampaign = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only this type, with or without its version. Repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="From this instant on: 2026-03-01T12:00:00+00:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant.")] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on after a cursor that this command printed.")
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
) -> None:
    """Deliver the events of the past again: to a webhook, a topic, a file or standard output.

    They are those of campaign.events, byte for byte, in the same order. Webhooks are signed with
    DIALGATE_WEBHOOK_SECRET. A file is written whole or not at all.
    """
    settings = checked_settings()
    try:
        wanted = Wanted(
            campaign, _types(types or ()), _instant("since", since), _instant("until", until)
        )
        passed = cursor_of(after) if after is not None else {}
        pace = Pace(_speed(speed), wait_max_s)
    except ValueError as exc:
        raise misused(exc) from exc
    replay = Replay(pace, SystemClock(), dict(passed))
    run_verb(replay_events(settings, to, replay, wanted, as_json=as_json, exported=exported))


async def replay_events(
    settings: ProcessSettings,
    to: str,
    replay: Replay,
    wanted: Wanted,
    *,
    as_json: bool = False,
    exported: Path | None = None,
) -> None:
    """Deliver the events that are in the log now, and say how far that came, also if it failed.

    Raises:
        ContractError: this build does not know an accepted fact.
        MisusedError: there is no such campaign, or nothing can be delivered there.
        OperatingError: the log cannot be read, or the receiver takes no more.

    """
    from dialgate.events.event_targets import target  # Loads what only webhooks need.

    tell = complain if to == STANDARD_OUTPUT else say
    async with source(settings, exported) as (log, installation):
        passed = dict(replay.passed)
        try:
            async with (
                target(to, settings, replay.clock, complain) as receiver,
                aclosing(past_events(log, installation, wanted.campaign_id, passed)) as events,
            ):
                await replay.run(receiver, events, wanted)
                if wanted.campaign_id is not None and not (replay.examined or passed):
                    raise MisusedError(f"there is no campaign {wanted.campaign_id} in the log")
        except BaseException:
            if replay.delivered:  # A file has nothing of it.
                complain(replay.text() if receiver.keeps else "nothing was written")
            raise
    tell(orjson.dumps(replay.shape()).decode() if as_json else replay.text())


def _types(types: Collection[str]) -> Collection[str]:
    known = {*TAGS, *UPCASTS}
    known |= {unversioned(tag) for tag in known}
    for one in types:
        if one not in known:
            near = get_close_matches(one, sorted(known), n=1, cutoff=0.0)[0]
            raise ValueError(f"--type: there is no {one}; the nearest is {near}")
    return frozenset(types)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= SPEED_MAX:
        raise ValueError(f"--speed: expected a number above 0 or max, found {text}")
    return speed


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(
            f"--{name}: expected an instant such as 2026-03-01T12:00:00+00:00, found {text}"
        ) from exc
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
