"""Background work: its failure, and its end, are raised where it is watched."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from campaigns.process.virtual_time import run_virtually
from campaigns.process.watch import EndedError, Watch, lasting


def test_what_a_callback_raises_is_raised_where_the_watch_is_awaited() -> None:
    async def scenario() -> None:
        watch, heard = Watch(), list[int]()

        def divide(by: int) -> None:
            heard.append(1 // by)

        loop = asyncio.get_running_loop()
        loop.call_soon(watch.guarded(divide), 1)
        loop.call_later(5.0, watch.guarded(divide), 0)
        waiting = asyncio.create_task(watch.wait())
        await asyncio.sleep(4.0)
        assert not waiting.done()
        assert heard == [1]
        with pytest.raises(ZeroDivisionError):
            await waiting
        assert loop.time() == 5.0

    run_virtually(scenario())


def test_the_first_failure_counts_and_is_raised_however_late_it_is_asked_for() -> None:
    async def scenario() -> None:
        watch = Watch()
        watch.fail(OSError("first"))
        watch.fail(OSError("second"))
        await asyncio.sleep(1.0)
        with pytest.raises(OSError, match="first"):
            await watch.wait()

    run_virtually(scenario())


def test_a_kept_task_that_fails_or_ends_is_noticed_and_one_that_is_cancelled_is_not() -> None:
    async def scenario() -> None:
        async def fails() -> None:
            raise ValueError("a bug")

        async def ends() -> None:
            return

        for work, error in ((fails, ValueError), (ends, EndedError)):
            watch = Watch()
            watch.keep(asyncio.create_task(work(), name="checks"))
            with pytest.raises(error):
                await watch.wait()
        watch = Watch()
        task = asyncio.create_task(asyncio.sleep(60))
        watch.keep(task)
        task.cancel()
        await asyncio.wait([task])
        assert watch.failure is None

    run_virtually(scenario())


async def beside(work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work)
        tasks.create_task(asyncio.sleep(60))


def test_lasting_work_that_ends_in_any_way_ends_its_group() -> None:
    async def scenario() -> None:
        async def ends() -> None:
            return

        async def is_answered_with_a_cancellation() -> None:
            answer = asyncio.get_running_loop().create_future()
            answer.cancel()
            await answer

        async def fails() -> None:
            raise ValueError("a bug")

        for work, error in (
            (ends, EndedError),
            (is_answered_with_a_cancellation, EndedError),
            (fails, ValueError),
        ):
            with pytest.raises(ExceptionGroup) as group:
                await beside(lasting(work, "it"))
            assert isinstance(group.value.exceptions[0], error)

    run_virtually(scenario())


def test_lasting_work_may_be_cancelled() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(lasting(partial(asyncio.sleep, 60), "it"))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run_virtually(scenario())
