"""Starts and stops Kafka clients without leaks, in bounded time, whatever their brokers do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerClosed

STOP_S = 2.0  # How long a client may take to let go of a connection.


class Client(Protocol):
    """A consumer or a producer."""

    async def start(self) -> Any:
        """Connect."""
        ...


K = TypeVar("K", bound=Client)

_finishing: set[asyncio.Task[None]] = set()  # The event loop itself keeps no task alive.


async def start(client: K, stop: Callable[[K], Awaitable[None]]) -> K:
    """Start a client, or leave nothing of it behind.

    A start that is cancelled half way would lose its first connection, open: so it is left to
    fail by itself, at its request timeout, behind the caller's back.

    Raises:
        KafkaError: the cluster did not answer.

    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        finishing = asyncio.create_task(_finish(client, starting, stop), name="kafka client")
        _finishing.add(finishing)
        finishing.add_done_callback(_finishing.discard)
        raise
    return client


async def _finish(
    client: K, starting: asyncio.Future[Any], stop: Callable[[K], Awaitable[None]]
) -> None:
    await asyncio.wait([starting])
    _hear(starting)
    await stop(client)


async def stop(client: AIOKafkaConsumer) -> None:
    """Stop a consumer within a few STOP_S."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping], timeout=STOP_S)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping], timeout=STOP_S)
    _hear(stopping)


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer within a few STOP_S, even while no broker answers.

    What it had taken and not sent is given up; what it had sent may still appear.
    """
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait([stopping], timeout=STOP_S)
    if not stopping.done():
        producer._message_accumulator.fail_all(ProducerClosed())
        closing = asyncio.ensure_future(producer.client.close())
        await asyncio.wait([stopping, closing], timeout=STOP_S)
        for task in (stopping, closing):
            task.cancel()
        await asyncio.wait([stopping, closing], timeout=STOP_S)
        _hear(closing)
    _hear(stopping)


def _hear(ended: asyncio.Future[Any]) -> None:
    """Look at the exception, so that none is reported as lost: nothing is left to be done."""
    if ended.done() and not ended.cancelled():
        ended.exception()
