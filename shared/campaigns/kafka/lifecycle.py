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
        await _give_up(producer)
        await asyncio.wait([stopping], timeout=STOP_S)
        stopping.cancel()
        await asyncio.wait([stopping], timeout=STOP_S)
    _hear(stopping)


async def _give_up(producer: AIOKafkaProducer) -> None:
    """End what the client would try for ever, in an order in which nothing of it fails loudly.

    First its sending, then what it holds: to fail a batch that is being sent again breaks it.
    """
    client, held = producer.client, producer._message_accumulator
    if (sending := producer._sender.sender_task) is not None:
        sending.cancel()  # It waits for the requests that are on their way,
    closing = asyncio.ensure_future(client.close())  # which fail now,
    await asyncio.wait([closing], timeout=STOP_S)
    if client._md_update_fut is not None and not client._md_update_fut.done():
        client._md_update_fut.set_result(False)  # and wait for metadata, which nobody asks for.
    ending = [closing] if sending is None else [closing, sending]
    await asyncio.wait(ending, timeout=STOP_S)
    for one in ending:
        one.cancel()
    await asyncio.wait(ending, timeout=STOP_S)
    for batches in held._batches.values():
        held._pending_batches.update(batches)  # Where it looks for what has ended.
    drained = [batch._drain_waiter for batch in held._pending_batches]
    held.fail_all(ProducerClosed())
    for one in (*ending, *drained):
        _hear(one)


def _hear(ended: asyncio.Future[Any]) -> None:
    """Look at the exception, so that none is reported as lost: nothing is left to be done."""
    if ended.done() and not ended.cancelled():
        ended.exception()
