"""An exception in any reaction ends the dialer; after the restart no contact is lost."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from campaigns.domain.facts import Disposition
from campaigns.domain.moves import Status
from campaigns.process.virtual_time import run_virtually
from dialer.calls.effects import Effect, HangUp, LookUp, Offer, Place
from dialer.calls.inputs import Clocks
from dialer.carrier.port import CallOrder
from dialer.service import Dialer
from tests.simulation.test_dialing import SETTINGS, Bench, bench, dialing


class Faulty(Dialer):
    """A dialer whose disk fails at its `left`-th effect of a kind."""

    left = 0
    kind: type[Effect] = Offer

    async def open(self) -> None:
        await super().open()
        perform = self.reactions._perform

        def faulty(effect: Effect, clocks: Clocks) -> None:
            if isinstance(effect, self.kind):
                self.left -= 1
                if self.left == 0:
                    raise sqlite3.OperationalError("disk I/O error")
            perform(effect, clocks)

        self.reactions._perform = faulty  # type: ignore[method-assign]  # Of this one.


@dataclass
class Moody:
    """A carrier's outcomes: every fourth contact is met with silence the first time."""

    seen: set[int] = field(default_factory=set)

    def __call__(self, call: CallOrder) -> Disposition | None:
        first = call.contact_id not in self.seen
        self.seen.add(call.contact_id)
        return None if first and call.contact_id % 4 == 0 else Disposition.ANSWERED


async def live(b: Bench, dialer: Dialer) -> BaseException | None:
    """Run a dialer until it fails, or for a while; return what it failed of."""
    await dialer.open()
    running = asyncio.create_task(dialer.run())
    await asyncio.wait([running], timeout=120.0)
    if not running.done():
        running.cancel()
        await asyncio.wait([running])
    await dialer.close()
    return None if running.cancelled() else running.exception()


def leaves(failure: BaseException | None) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for inner in failure.exceptions:
            yield from leaves(inner)
    elif failure is not None:
        yield failure


@pytest.mark.parametrize(
    ("kind", "left"),
    [(Offer, n) for n in (1, 2, 9, 10, 11, 12, 13, 14, 40, 77, 78, 79)]
    + [(Place, n) for n in (1, 5, 8, 21)]
    + [(LookUp, n) for n in (1, 2, 3, 5, 9)],
)
def test_an_exception_in_a_reaction_ends_the_dialer_and_the_next_life_completes(
    kind: type[Effect], left: int
) -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.silence_s = 3.0
        b.carrier.outcome = Moody()
        await b.campaign(40, max_concurrent_calls=8, calls_per_minute=120)
        faulty = Faulty(b.log, b.clock, SETTINGS, None, b.carrier)
        faulty.left, faulty.kind = left, kind
        failure = await live(b, faulty)
        assert [repr(one) for one in leaves(failure)] == ["OperationalError('disk I/O error')"]
        assert faulty.reader.torn, "nothing of it is stored"
        async with dialing(b) as dialer:
            await asyncio.sleep(600)
            campaign = dialer.campaigns.by_id[42]
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.completed == 40
        rung = Counter(call.contact_id for _, call in b.carrier.rings)
        assert rung == Counter(range(1, 41))

    run_virtually(scenario())


def test_a_dialer_that_failed_in_a_reaction_does_nothing_more() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(40, max_concurrent_calls=8)
        faulty = Faulty(b.log, b.clock, SETTINGS, None, b.carrier)
        faulty.left, faulty.kind = 3, Place
        assert await live(b, faulty) is not None
        records, rings = len(b.accepted()), len(b.carrier.rings)
        await asyncio.sleep(60)  # What the carrier reports now is for the next life.
        assert (len(b.accepted()), len(b.carrier.rings)) == (records, rings)

    run_virtually(scenario())


def test_a_failure_in_the_carriers_own_work_ends_the_dialer() -> None:
    async def scenario() -> None:
        b = bench()

        class Checking(type(b.carrier)):  # type: ignore[misc]  # Whatever the bench has.
            async def watch(self) -> None:
                await asyncio.sleep(10)
                raise RuntimeError("the terms cannot be checked")

        b.carrier = Checking(b.clock)
        await b.campaign(1)
        failure = await live(b, Dialer(b.log, b.clock, SETTINGS, None, b.carrier))
        assert [repr(one) for one in leaves(failure)] == [
            "RuntimeError('the terms cannot be checked')"
        ]

    run_virtually(scenario())


def test_hang_ups_are_effects_too() -> None:
    """The catalogue of effects is whole: each kind is tried above, or cannot fail a turn."""
    assert set(Effect.__args__) == {Offer, Place, LookUp, HangUp}
