"""The barrier by example, on virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from campaigns.domain.facts import AnyCallFact, CallStarted
from campaigns.process.virtual_time import VirtualClock, run_virtually
from command_api.barrier import Barrier, Settled
from tests.support.folded_journal import FoldedJournal

OVER_S = 7.0  # The journal's lease and carrier timeout.


class Story(FoldedJournal):
    """A story whose calls a barrier follows."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = Barrier(VirtualClock(asyncio.get_running_loop()))
        self.running()

    def write(self, *facts: Any, **more: Any) -> Any:
        recorded = super().write(*facts, **more)
        for fact in facts:
            if isinstance(fact, AnyCallFact):
                self.barrier.fold(fact)
        return recorded

    def passing(self, position: int | None = None) -> asyncio.Task[Settled]:
        position = position or len(self.records) + 1
        return asyncio.ensure_future(self.barrier.passed(self.campaign, position))


def told(scenario: Callable[[Story], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await scenario(Story())

    run_virtually(run())


def test_with_nothing_open_it_is_passed_at_once() -> None:
    async def scenario(story: Story) -> None:
        story.call(1)
        story.ring(story.ask(2), 2)
        story.give_back(story.ask(3))
        assert await story.passing() == Settled(0.0, 0)

    told(scenario)


def test_it_is_passed_when_the_last_permission_is_resolved() -> None:
    async def scenario(story: Story) -> None:
        calls = [story.ask(contact_id) for contact_id in (1, 2, 3)]
        passing = story.passing()
        await asyncio.sleep(0.1)
        story.ring(calls[0], 1)
        story.give_back(calls[1])
        await asyncio.sleep(0.1)
        assert not passing.done()
        story.end(calls[2], 3)
        settled = await passing
        assert settled.permissions_abandoned == 1
        assert 199 < settled.settled_in_ms < 201

    told(scenario)


def test_it_is_passed_when_all_their_time_is_over() -> None:
    async def scenario(story: Story) -> None:
        story.ask(1)
        await asyncio.sleep(1)
        story.ask(2)
        await asyncio.sleep(1)
        settled = await story.passing()
        assert abs(settled.settled_in_ms - (OVER_S - 1) * 1000) < 1
        assert settled.permissions_abandoned == 0
        assert (await story.passing()).settled_in_ms < 1, "a later caller need not wait"

    told(scenario)


def test_what_was_accepted_behind_it_is_not_waited_for() -> None:
    async def scenario(story: Story) -> None:
        call_id = story.ask(1)
        position = len(story.records) + 1
        story.ask(2)
        passing = story.passing(position)
        await asyncio.sleep(0)
        story.give_back(call_id)
        assert (await passing).permissions_abandoned == 1

    told(scenario)


def test_a_late_ring_resolves_nothing() -> None:
    async def scenario(story: Story) -> None:
        call_id = story.ask(1)
        passing = story.passing()
        await asyncio.sleep(0.1)
        story.late(call_id, 1, 1)
        await asyncio.sleep(0.1)
        assert not passing.done()
        story.give_back(call_id)
        await passing

    told(scenario)


def test_a_stranger_cannot_resolve_a_call_from_another_campaign() -> None:
    """A well-formed fact of another campaign that names the call was enough for a 500."""

    async def scenario(story: Story) -> None:
        call_id = story.ask(1)
        strange = CallStarted(
            campaign_id=2, contact_id=1, call_id=call_id, run=1, attempt=1, started_at=story.now
        )
        story.barrier.fold(strange)
        settled = await story.passing()
        assert abs(settled.settled_in_ms - OVER_S * 1000) < 1

    told(scenario)


def test_a_checkpoints_permissions_are_waited_for_from_now_on() -> None:
    async def scenario(story: Story) -> None:
        story.ask(1)
        await asyncio.sleep(OVER_S)
        fresh = Barrier(story.barrier.clock)
        fresh.restored([story.campaign])
        settled = await fresh.passed(story.campaign, len(story.records) + 1)
        assert abs(settled.settled_in_ms - OVER_S * 1000) < 1

    told(scenario)


def test_who_gives_up_waiting_is_forgotten_and_holds_up_nobody() -> None:
    async def scenario(story: Story) -> None:
        call_id = story.ask(1)
        impatient, patient = story.passing(), story.passing()
        await asyncio.sleep(0.1)
        impatient.cancel()
        await asyncio.wait([impatient])
        story.give_back(call_id)
        assert (await patient).permissions_abandoned == 1
        assert not story.barrier._waits

    told(scenario)
