"""Starts and stops Kafka clients without leaks, in bounded time, whatever their brokers do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerClosed

STOP_S = 2.0  # How long a client may take to close a connection.


class Client(Protocol):
    """A consumer or a producer."""

    async def start(self) -> Any:
        """Connect."""
        ...


K = TypeVar("K", bound=Client)

_finishing: set[asyncio.Task[None]] = set()  # The event loop itself keeps no task alive.


async def start(client: K, stop: Callable[[K], Awaitable[None]]) -> K:
    """Start a client, or leave no resource of it behind.

    A start that is cancelled midway would leak its first connection, so it is left to finish or
    time out in the background.

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

    Accepted records that were not sent are dropped; those that were sent may still appear.
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
    """End what the client would retry indefinitely, in an order that raises no stray errors.

    First its sending task, then its batches: failing a batch that is being resent would break it.
    """
    client, held = producer.client, producer._message_accumulator
    if (sending := producer._sender.sender_task) is not None:
        sending.cancel()  # It waits for the requests in flight,
    closing = asyncio.ensure_future(client.close())  # which fail now,
    await asyncio.wait([closing], timeout=STOP_S)
    if client._md_update_fut is not None and not client._md_update_fut.done():
        client._md_update_fut.set_result(False)  # and wait for metadata that is not being fetched.
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
    """Retrieve the exception, so that asyncio does not report it as never retrieved."""
    if ended.done() and not ended.cancelled():
        ended.exception()
