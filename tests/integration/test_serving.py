"""A process ends with its parts and their background tasks: status 1, and it says why."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from aiokafka.conn import AIOKafkaConnection
from fastapi import APIRouter, FastAPI

from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.process.errors import LogUnavailableError
from campaigns.process.watch import belongs_to
from dialgate.connections.bounds import Bounds
from dialgate.exit_codes import DONE, WENT_WRONG
from dialgate.process import Process
from dialgate.settings import ProcessSettings

WITHIN_S = 20.0
Work = Callable[[], Awaitable[None]]


class One:
    """A part that does nothing but what the test has it do."""

    name = "one"

    def __init__(self, log: MemoryLog, work: Work) -> None:
        self.reader, self._work = Reader(log, self), work

    def routers(self) -> Sequence[APIRouter]:
        return ()

    def fold(self, recorded: object) -> None: ...

    def folded(self, partition: object, position: int) -> None: ...

    async def open(self) -> None: ...

    async def run(self) -> None:
        await self._work()

    async def troubles(self) -> Sequence[str]:
        return ()

    async def drain(self) -> None: ...

    async def close(self) -> None: ...


def lived(tmp_path: Path, work: Callable[[Process], Awaitable[None]]) -> int:
    """Run a process with one part that does this; return its status."""

    async def live() -> int:
        log = MemoryLog()
        settings = ProcessSettings(port=0, data_dir=tmp_path)
        process = Process(settings, log, [], FastAPI(), Bounds(), lambda address: None)
        process.parts = [One(log, lambda: work(process))]
        async with asyncio.timeout(WITHIN_S):
            return await process.serve()

    try:
        return asyncio.run(live())
    finally:
        gc.set_threshold(700)
        gc.unfreeze()


async def for_ever(process: Process) -> None:
    await asyncio.sleep(10 * WITHIN_S)


async def fails(process: Process) -> None:
    raise ValueError("a bug in run")


async def ends(process: Process) -> None:
    return


async def is_cancelled(process: Process) -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    await answer


async def a_timer_fails(process: Process) -> None:
    def divide() -> None:
        raise ValueError("a bug in a timer")

    asyncio.get_running_loop().call_later(0.01, divide)
    await for_ever(process)


UNCLOSED = object.__new__(AIOKafkaConnection)


async def a_forgotten_task_fails(process: Process) -> None:
    async def forgotten() -> None:
        raise ValueError("a bug in a task")

    task = asyncio.create_task(forgotten())
    await asyncio.wait([task])
    del task
    gc.collect()
    await for_ever(process)


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (fails, "one stops: a bug in run"),
        (ends, "one stops: it has ended"),
        (is_cancelled, "one stops: it was cancelled"),
        (a_timer_fails, "a bug in a timer"),
        (a_forgotten_task_fails, "a bug in a task"),
    ],
)
def test_whatever_ends_unseen_ends_the_process_and_is_told(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    work: Callable[[Process], Awaitable[None]],
    says: str,
) -> None:
    with caplog.at_level(logging.ERROR):
        assert lived(tmp_path, work) == WENT_WRONG
    assert says in caplog.text


@pytest.mark.parametrize(
    "context",
    [
        {"message": "never retrieved", "exception": ConnectionResetError("a peer has gone")},
        {"message": "never retrieved", "exception": LogUnavailableError("an outage")},
        {"message": "Fatal error", "exception": ValueError("odd bytes"), "transport": object()},
        {"message": "Fatal error", "exception": ValueError("odd bytes"), "protocol": object()},
        {
            "message": "Unclosed AIOKafkaConnection",
            "connection": object.__new__(AIOKafkaConnection),
        },
    ],
)
def test_an_outage_and_what_belongs_to_one_connection_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, context: dict[str, object]
) -> None:
    seen: list[int] = []

    async def goes_on(process: Process) -> None:
        asyncio.get_running_loop().call_exception_handler(context)
        seen.append(process.status)
        raise ValueError("the end of the test")

    assert lived(tmp_path, goes_on) == WENT_WRONG
    assert seen == [DONE]
    assert "unforeseen" in caplog.text


async def test_a_task_of_kafkas_client_is_told_from_ours() -> None:
    theirs = asyncio.create_task(AIOKafkaConnection.connect(UNCLOSED))
    ours = asyncio.create_task(asyncio.sleep(0))
    try:
        assert belongs_to("aiokafka", theirs)
        assert not belongs_to("aiokafka", ours)
    finally:
        theirs.cancel()
        await asyncio.wait([theirs, ours])
