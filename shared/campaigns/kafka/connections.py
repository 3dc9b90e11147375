"""The Kafka client's connections, changed so that a silent broker delays no request to another.

The stock client learns of an election only when a request has timed out, asks one broker at a time
for metadata, and connects to one at a time: each step waits for the silent one's full timeout.
Nothing here shortens a timeout: a slow broker that is still in the cluster gets all its time.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import aiokafka.admin.client
import aiokafka.client
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from campaigns.kafka.silence import NEXT_S, Silence, first_of

logger = logging.getLogger("aiokafka")  # The client's own, which `hush` rate-limits.

DOUBT_S = 0.5  # After so long without an answer, the other brokers are asked for metadata,
AGAIN_S = 0.2  # and asked again at this interval until the broker answers or has left;
JOINING_AGAIN_S = 1.0  # the interval for a group's coordinator.

At = tuple[int, ConnectionGroup]


class _MetadataRequest(MetadataRequest):  # type: ignore[misc]  # aiokafka has no types.
    """Asks about topics without creating them, whatever auto.create.topics.enable says.

    A topic created by a question has the broker's defaults, and deletes records after a week.
    """

    def __init__(self, topics: list[str] | None = None) -> None:
        super().__init__(topics, allow_auto_topic_creation=False)


# The client has no setting for this, and asks at each update of its metadata.
aiokafka.client.MetadataRequest = _MetadataRequest
aiokafka.admin.client.MetadataRequest = _MetadataRequest


class KafkaConnections(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types.
    """The connections through which a consumer, producer or admin client sends requests."""

    _sync_task: asyncio.Task[None] | None  # The client's own.
    _connecting: dict[At, asyncio.Task[AIOKafkaConnection]]
    _silence: Silence

    @classmethod
    def take(cls, client: AIOKafkaClient, silence: Silence) -> None:
        """Turn a new client into one of these: aiokafka does not let one inject it."""
        assert not client._conns, "it has not started"
        client.__class__ = cls
        client._connecting, client._silence = {}, silence

    async def bootstrap(self) -> None:
        """Fetch the cluster's metadata from the first of the named brokers that has it.

        Raises:
            KafkaConnectionError: none has.

        """
        asks = [partial(self._hear_from, host, port) for host, port, _ in self.hosts]
        try:
            self.cluster.update_metadata(await first_of(asks, NEXT_S))
        except (OSError, KafkaError, TimeoutError) as exc:
            raise KafkaConnectionError(f"Unable to bootstrap from {self.hosts}: {exc!r}") from exc
        if self._sync_task is None:
            self._sync_task = asyncio.create_task(self._md_synchronizer())

    async def _hear_from(self, host: str, port: int) -> Any:  # Any: an answer of the client's.
        connection = await self._connected(host, port)
        try:
            return _of_brokers(await connection.send(_MetadataRequest([])))
        finally:
            connection.close()

    async def send(
        self, node_id: int, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT
    ) -> Any:
        """Send a request; if its answer is late, ask the others about the broker."""
        # A coordinator answers once all members have joined, which may take longer.
        again_s = AGAIN_S if group is ConnectionGroup.DEFAULT else JOINING_AGAIN_S
        with self._doubting(node_id, again_s):
            return await super().send(node_id, request, group=group)

    @contextmanager
    def _doubting(self, node_id: int, again_s: float = AGAIN_S) -> Iterator[None]:
        """Ask the other brokers about one whose answer, or connection, takes too long."""
        owing, again = self._silence.owing, None

        def doubt() -> None:
            nonlocal again
            if again is None:
                owing[node_id] += 1
            if len(self.cluster.brokers()) > 1:  # Otherwise there is no other to ask.
                self.force_metadata_update()
            again = self._loop.call_later(again_s, doubt)

        at_first = self._loop.call_later(DOUBT_S, doubt)
        try:
            yield
        finally:
            at_first.cancel()
            if again is not None:
                again.cancel()
                owing[node_id] -= 1

    def get_random_node(self) -> int | None:
        """Return a broker, preferably one that answers."""
        nodes = self._nodes()
        return nodes[0] if nodes else None

    def _nodes(self) -> list[int]:
        """Return the brokers in random order, with the silent ones last."""
        nodes = [one.nodeId for one in self.cluster.brokers()]
        random.shuffle(nodes)
        return sorted(nodes, key=self._silence.rank)

    async def _metadata_update(
        self, cluster_metadata: ClusterMetadata, topics: Collection[str]
    ) -> bool:
        question = _MetadataRequest(list(topics) if topics else None)
        nodes = self._nodes()
        try:
            found = await first_of([partial(self._ask, one, question) for one in nodes], NEXT_S)
        except (KafkaError, TimeoutError) as exc:
            logger.error("Unable to update metadata from %s: %r", nodes, exc)
            cluster_metadata.failed_update(None)
            return False
        cluster_metadata.update_metadata(found)
        if cluster_metadata is self.cluster:
            self._leave_the_gone()
        return True

    async def _ask(self, node_id: int, question: _MetadataRequest) -> Any:
        if (connection := await self._get_conn(node_id)) is None:
            raise KafkaConnectionError(f"no connection to node {node_id}")
        return _of_brokers(await connection.send(question))

    def _leave_the_gone(self) -> None:
        """Close the connections of silent brokers that, according to the others, have left.

        Their requests fail as on a broken connection, and are retried with the current leader.
        """
        gone = self._silence.heard({one.nodeId for one in self.cluster.brokers()})
        for at in {*self._conns, *self._connecting}:
            if at[0] in gone:
                logger.warning("node %s is silent and no longer in the cluster", at[0])
                if at in self._connecting:
                    self._connecting[at].cancel()
                else:
                    self._conns[at].close()

    async def _get_conn(
        self,
        node_id: int,
        *,
        group: ConnectionGroup = ConnectionGroup.DEFAULT,
        no_hint: bool = False,
    ) -> AIOKafkaConnection | None:
        at = node_id, group
        if (there := self._conns.get(at)) is not None:
            if there.connected():
                return there
            del self._conns[at]
        if (connecting := self._connecting.get(at)) is None:
            connecting = asyncio.create_task(self._connect(at), name=f"connect to node {node_id}")
            self._connecting[at] = connecting
            connecting.add_done_callback(partial(self._connecting_ended, at))
        await asyncio.wait([connecting])  # Cancelling one waiter does not affect the others.
        try:
            return connecting.result()
        except (OSError, KafkaError, TimeoutError, asyncio.CancelledError) as exc:
            logger.error("Unable connect to node with id %s: %r", node_id, exc)
            self.force_metadata_update()
            return None

    def _connecting_ended(self, at: At, connecting: asyncio.Task[AIOKafkaConnection]) -> None:
        del self._connecting[at]
        if not connecting.cancelled():
            connecting.exception()  # Retrieved, since all waiters may have been cancelled.

    async def _connect(self, at: At) -> AIOKafkaConnection:
        if (broker := self.cluster.broker_metadata(at[0])) is None:
            raise KafkaConnectionError(f"node {at[0]} is no longer in the cluster")
        with self._doubting(at[0]):
            connection = await self._connected(broker.host, broker.port, self._on_connection_closed)
        self._conns[at] = connection
        return connection

    async def _connected(
        self, host: str, port: int, on_close: Callable[..., None] | None = None
    ) -> AIOKafkaConnection:
        return await create_conn(
            host,
            port,
            client_id=self._client_id,
            request_timeout_ms=self._request_timeout_ms,
            ssl_context=self._ssl_context,
            security_protocol=self._security_protocol,
            on_close=on_close,
            max_idle_ms=self._connections_max_idle_ms,
            sasl_mechanism=self._sasl_mechanism,
            sasl_plain_username=self._sasl_plain_username,
            sasl_plain_password=self._sasl_plain_password,
            sasl_kerberos_service_name=self._sasl_kerberos_service_name,
            sasl_kerberos_domain_name=self._sasl_kerberos_domain_name,
            sasl_oauth_token_provider=self._sasl_oauth_token_provider,
        )

    async def close(self) -> None:
        """Close all connections, and cancel those being made."""
        connecting = list(self._connecting.values())
        for one in connecting:
            one.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        await super().close()


def _of_brokers(answer: Any) -> Any:
    """Return a metadata answer, unless it names no brokers, as one that just started does.

    Raises:
        KafkaConnectionError: it names none.

    """
    if not answer.brokers:
        raise KafkaConnectionError("it does not know any broker yet")
    return answer
