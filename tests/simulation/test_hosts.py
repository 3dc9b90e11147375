"""A dialer whose fold is that of the command API beside it, and one that comes to a long log."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from campaigns.domain.facts import CallAbandoned, CallRequested, CallStarted
from campaigns.domain.moves import Status
from campaigns.process.virtual_time import run_virtually
from command_api.service import CommandApi
from dialer.calls.inputs import Folded
from dialer.reactor.input_handlers import handle
from dialer.service import Dialer
from tests.simulation import web
from tests.simulation.injections import reactor_module
from tests.simulation.test_dialing import HERE, SETTINGS, Bench, bench, dialing


@asynccontextmanager
async def together(b: Bench, folder: Path | None) -> AsyncIterator[tuple[CommandApi, Dialer]]:
    """Run both parts as `dialgate up` does."""
    api = CommandApi(b.log, b.clock, web.SETTINGS, folder)
    dialer = Dialer(b.log, b.clock, SETTINGS, folder, b.carrier, host=api)
    await api.open()
    await dialer.open()
    running = [asyncio.create_task(part.run()) for part in (api, dialer)]
    try:
        yield api, dialer
        await dialer.drain()
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    for task in running:
        if not task.cancelled() and task.exception():
            raise task.exception()  # type: ignore[misc]  # It is not None.
    await dialer.close()
    await api.close()


def test_one_fold_serves_both_parts_through_pauses_and_restarts(tmp_path: Path) -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=10)
        async with together(b, tmp_path) as (api, dialer):
            assert dialer.contacts is api.contacts
            await asyncio.sleep(3)
            await b.pause()
            paused_at = b.clock.boottime()
            assert 0 < len(b.carrier.rings) < 100
            await asyncio.sleep(30)
            assert all(at <= paused_at + b.carrier.set_up_s for at, _ in b.carrier.rings)
        async with together(b, tmp_path) as (api, dialer):
            assert api.reader.positions[HERE] == len(b.log._records[HERE])
            await b.resume()
            await asyncio.sleep(60)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
            assert not dialer.reader.on_ruling
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 101))
        assert {one.name for one in tmp_path.glob("*.db")} == {"command-api.db"}

    run_virtually(scenario())


def test_a_dialer_continues_by_itself_what_it_began_beside_a_command_api(tmp_path: Path) -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.talk_s = 20.0
        await b.campaign(20, max_concurrent_calls=5)
        async with together(b, tmp_path):
            await asyncio.sleep(0.03)  # Some rung and not started, some asked.
        assert b.carrier.rings
        async with dialing(b) as alone:
            await asyncio.sleep(300)
            assert alone.campaigns.by_id[42].status is Status.COMPLETED
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 21))

    run_virtually(scenario())


def test_what_the_log_held_is_no_input_of_the_reactor_and_what_comes_then_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a first start a fact each was handed to the reactor, which could do nothing with it."""
    handled: list[object] = []

    def noting(state: object, news: object, *others: object) -> None:
        handled.append(news)
        handle(state, news, *others)  # type: ignore[arg-type]  # As they came.

    async def scenario() -> Sequence[object]:
        b = bench()
        b.carrier.talk_s = 20.0
        await b.campaign(20, max_concurrent_calls=5)
        dead = Dialer(b.log, b.clock, SETTINGS, None, b.carrier)
        await dead.open()
        running = asyncio.create_task(dead.run())
        await asyncio.sleep(0.03)
        running.cancel()
        await asyncio.wait([running])
        dead.reactions.stop()
        await dead.close()
        before = len(b.accepted())
        assert b.of(CallRequested), "there is a call to recover"
        monkeypatch.setattr(reactor_module, "handle", noting)
        async with dialing(b) as dialer:
            await asyncio.sleep(300)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        facts = [news.fact for news in handled if isinstance(news, Folded)]
        assert len(facts) == len(b.accepted()) - before
        assert len(b.of(CallStarted)) + len(b.of(CallAbandoned)) == len(b.of(CallRequested))
        return facts

    assert run_virtually(scenario()), "what comes later is an input"
