"""handle(): what is said of a decision that is no fact, and what is read again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import STALE, UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignPaused
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.log.writer import Handled, Reread
from campaigns.process.errors import TooContendedError
from campaigns.process.virtual_time import NOON, VirtualClock, run_virtually
from tests.support.import_world import CAMPAIGN_ID, ORIGIN, PARTITION, ImportWorld, world

NO = Rejected(Reason.NOT_RUNNING, "a test")
FACT = CampaignPaused(campaign_id=CAMPAIGN_ID, reason=None, paused_at=NOON)


@dataclass(frozen=True)
class Ask:
    """A command that rests on a reading of how many contacts there are."""

    contacts: int


def decide(campaign: Campaign | None, command: Ask) -> Decision:
    assert campaign is not None, "the world has one"
    return (FACT,) if command.contacts == campaign.contacts_end else STALE


ASK: Decider[Campaigns, Ask, Campaign | None] = Decider(
    streams=lambda _: (campaign_stream(CAMPAIGN_ID),),
    read=lambda campaigns, _: campaigns.get(CAMPAIGN_ID),
    decide=decide,
)


def saying(said: Callable[[], Decision]) -> Decider[Campaigns, Ask, Campaign | None]:
    return replace(ASK, decide=lambda _campaign, _command: said())


@asynccontextmanager
async def a_world() -> AsyncIterator[ImportWorld]:
    async with world() as w:
        w.clock = w.writer.clock = VirtualClock(asyncio.get_running_loop())
        yield w


async def asked(
    w: ImportWorld, decider: Any, command: Ask, reread: Reread[Ask] | None = None
) -> object:
    return await w.writer.handle(
        decider, command, ORIGIN, partition=PARTITION, key=CAMPAIGN_ID, reread=reread
    )


def test_what_is_stale_is_read_again_and_decided_again() -> None:
    async def main() -> None:
        async with a_world() as w:
            readings: Iterator[int] = iter([8, 9, 0])  # Wrong twice, then right.

            async def reread() -> Ask:
                return Ask(next(readings))

            done = await asked(w, ASK, Ask(7), reread)
            assert isinstance(done, Handled)
            assert not list(readings)
            assert (await w.records())[-1] == (FACT,), "once"
            assert len(await w.records()) == 2

    run_virtually(main())


def test_what_a_new_reading_says_is_the_answer() -> None:
    async def main() -> None:
        async with a_world() as w:

            async def reread() -> Rejected:
                return NO

            assert await asked(w, ASK, Ask(7), reread) == NO
            assert len(await w.records()) == 1

    run_virtually(main())


def test_what_keeps_changing_is_read_again_for_a_bounded_time() -> None:
    async def main() -> None:
        async with a_world() as w:
            began, readings = w.clock.monotonic(), 0

            async def reread() -> Ask:
                nonlocal readings
                readings += 1
                await asyncio.sleep(3)
                return Ask(7)

            with pytest.raises(TooContendedError, match=f"campaign/{CAMPAIGN_ID}: kept changing"):
                await asked(w, ASK, Ask(7), reread)
            assert w.writer.rereads_s <= w.clock.monotonic() - began < w.writer.rereads_s + 3
            assert readings == 4

    run_virtually(main())


def test_a_reading_that_takes_longer_than_it_may_is_decided_on_all_the_same() -> None:
    async def main() -> None:
        async with a_world() as w:

            async def reread() -> Ask:
                await asyncio.sleep(10 * w.writer.rereads_s)
                return Ask(0)

            assert isinstance(await asked(w, ASK, Ask(7), reread), Handled)

    run_virtually(main())


def test_who_was_refused_before_a_long_reading_is_tried_again_after_it() -> None:
    async def main() -> None:
        async with a_world() as w:
            refused = 0

            def of_this_run(campaign: Campaign | None, command: Ask) -> Decision:
                nonlocal refused
                assert campaign is not None, "the world has one"
                refused += campaign.run == 0
                return (FACT,) if command.contacts == campaign.run else STALE

            async def reread() -> Ask:
                await asyncio.sleep(10 * w.writer.tries_s)
                return Ask(w.campaign.run)

            first = w.start()  # By another, at the same moment.
            _, done = await asyncio.gather(
                first, asked(w, replace(ASK, decide=of_this_run), Ask(0), reread)
            )
            assert isinstance(done, Handled)
            assert refused == 1, "it was decided on what was so before"

    run_virtually(main())


@pytest.mark.parametrize("said", [UNCHANGED, NO])
def test_nothing_to_record_is_said_of_the_logs_end_alone(said: Decision) -> None:
    async def main() -> None:
        async with a_world() as w:
            looks = 0

            def look() -> Decision:
                nonlocal looks
                looks += 1
                return said

            assert await asked(w, saying(look), Ask(0)) == said
            assert looks == 2, "before and after the log's end was reached"
            assert len(await w.records()) == 1

    run_virtually(main())


def test_a_preview_reads_again_too_and_records_nothing() -> None:
    async def main() -> None:
        async with a_world() as w:

            async def reread() -> Ask:
                return Ask(0)

            told = await w.writer.preview(ASK, Ask(7), partition=PARTITION, reread=reread)
            assert told == (FACT,)
            assert len(await w.records()) == 1

    run_virtually(main())


def test_a_preview_says_that_the_level_is_below_as_the_command_would() -> None:
    async def main() -> None:
        async with a_world() as w:
            w.reader.installation.level = 0
            told = await w.writer.preview(ASK, Ask(0), partition=PARTITION)
            assert isinstance(told, Rejected)
            assert told.reason is Reason.LEVEL_BELOW
            assert told == await asked(w, ASK, Ask(0))

    run_virtually(main())
