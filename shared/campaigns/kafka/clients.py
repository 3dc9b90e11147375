"""The common settings of all our Kafka clients: servers, security, timeouts, quiet logs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from campaigns.kafka.connections import KafkaConnections
from campaigns.kafka.security import Security
from campaigns.kafka.silence import NEXT_S, Silence, first_of
from campaigns.process.observability import limit_repetitions
from campaigns.records.record import RECORD_BYTES_MAX
from campaigns.records.topics import Partition

MESSAGE_BYTES_MAX = RECORD_BYTES_MAX + 64 * 1024  # A record or an event, with key and headers.
REQUEST_TIMEOUT_MS = 5_000  # Shorter than any outage that clients should wait out silently.
RETRY_BACKOFF_MS = 50

_LOGGERS = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)
# Normal while a cluster starts for the first time: logged only if it lasts.
_PASSING = ("Group Coordinator Request failed: %s",)


@dataclass(frozen=True, slots=True)
class Kafka:
    """A cluster, and how to connect to it."""

    servers: str  # Comma-separated host:port.
    namespace: str = ""  # Put before each topic name, so that several systems share a cluster.
    security: Security = field(default_factory=Security)
    request_timeout_ms: int = REQUEST_TIMEOUT_MS
    silence: Silence = field(default_factory=Silence, compare=False, repr=False)

    def topic(self, name: str) -> str:
        """Return a topic's name on this cluster."""
        return f"{self.namespace}{name}"

    def partitions(self, counts: Mapping[str, int]) -> Mapping[Partition, TopicPartition]:
        """Return where each partition of these topics is; `counts`: how many, by our names."""
        return {
            Partition(topic, number): TopicPartition(self.topic(topic), number)
            for topic, count in counts.items()
            for number in range(count)
        }

    def producer(self, request_bytes_max: int = MESSAGE_BYTES_MAX) -> AIOKafkaProducer:
        """Return an idempotent producer, acknowledged by all in-sync replicas."""
        producer = AIOKafkaProducer(
            **self._common(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=64 * 1024,
            max_request_size=request_bytes_max,
        )
        KafkaConnections.take(producer.client, self.silence)
        return producer

    def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer that commits nothing and never resets its position."""
        common = self._common()
        consumer = AIOKafkaConsumer(
            *topics,
            **{
                **common,
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "fetch_min_bytes": 1,  # More would delay every ruling.
                **options,
            },
        )
        KafkaConnections.take(consumer._client, self.silence)
        return consumer

    def admin(self) -> AIOKafkaAdminClient:
        """Return a client that creates and describes topics."""
        admin = AIOKafkaAdminClient(**self._common())
        KafkaConnections.take(admin._client, self.silence)
        return admin

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.servers.split(","),
            "request_timeout_ms": self.request_timeout_ms,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            **self.security.options(),
        }

    async def reach(self) -> None:
        """Connect to the first of the named brokers that answers.

        Raises:
            KafkaConnectionError: none did; the message says why, for each broker.

        """
        found = dict[str, str]()

        async def speak_to(host: str, port: int) -> None:
            try:
                connection = await create_conn(
                    host,
                    port,
                    request_timeout_ms=self.request_timeout_ms,
                    **self.security.options(),
                )
            except (OSError, KafkaError, TimeoutError) as exc:
                found[f"{host}:{port}"] = self.security.why(exc)
                raise
            connection.close()

        named = collect_hosts(self.servers.split(","))
        try:
            await first_of([partial(speak_to, host, port) for host, port, _ in named], NEXT_S)
        except (OSError, KafkaError, TimeoutError) as exc:
            raise KafkaConnectionError(
                "; ".join(f"{at}: {why}" for at, why in found.items())
            ) from exc


def hush() -> None:
    """Rate-limit the Kafka client's log lines while a broker is away. Idempotent."""
    for name in _LOGGERS:
        limit_repetitions(logging.getLogger(name), passing=_PASSING)
