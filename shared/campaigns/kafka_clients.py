"""What all Kafka clients of ours have in common: servers, security, timeouts, quiet logs."""

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from campaigns.errors import ContractError
from campaigns.record import RECORD_BYTES_MAX

MESSAGE_BYTES_MAX = RECORD_BYTES_MAX + 64 * 1024  # A record or an event, with key and headers.
REQUEST_TIMEOUT_MS = 5_000  # Shorter than any outage that clients should sit out silently.
RETRY_BACKOFF_MS = 50
QUIET_S = 10.0  # The same words of a client are logged once in this time.

_LOGGERS = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)
# A cluster's first start: said only once it has lasted.
_PASSING = ("Group Coordinator Request failed: %s",)
_SECURITY = {  # All that may be set, as aiokafka names it; `ssl_cafile` becomes a context.
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "ssl_cafile",
}


@dataclass(frozen=True, slots=True)
class Kafka:
    """A cluster, and how to speak to it."""

    servers: str  # Comma-separated host:port.
    namespace: str = ""  # Put before each topic name, so that several systems share a cluster.
    security: Mapping[str, str] = field(default_factory=dict)

    def topic(self, name: str) -> str:
        """Return a topic's name on this cluster."""
        return f"{self.namespace}{name}"

    def producer(self, **options: Any) -> AIOKafkaProducer:  # Any: aiokafka's own options.
        """Return an idempotent producer whose acknowledgement means: on all replicas in sync."""
        return AIOKafkaProducer(
            **self._common(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=64 * 1024,
            max_request_size=MESSAGE_BYTES_MAX,
            **options,
        )

    def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer that commits nothing and never picks a position by itself."""
        common = self._common()
        return AIOKafkaConsumer(
            *topics,
            **{
                **common,
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "fetch_min_bytes": 1,  # More would add its waiting time to every ruling.
                **options,
            },
        )

    def admin(self) -> AIOKafkaAdminClient:
        """Return a client that makes topics and looks at them."""
        return AIOKafkaAdminClient(**self._common())

    def _common(self) -> dict[str, Any]:
        unknown = set(self.security) - _SECURITY
        if unknown:
            raise ContractError(
                f"expected Kafka security settings of {sorted(_SECURITY)}, found {sorted(unknown)}"
            )
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            **self.security,
        }
        authority = options.pop("ssl_cafile", None)
        if options.get("security_protocol", "PLAINTEXT").endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=authority)
        return options


class Sparingly(logging.Filter):
    """Lets the same words pass once in a while: an outage is one story, not a thousand lines."""

    def __init__(
        self, quiet_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._quiet_s, self._clock = quiet_s, clock
        self._said: dict[str, float] = {}  # By template, of which a program has few.
        self._heard: dict[str, float] = {}  # When first, of those that may be over at once.

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to log it: not the same template twice within `quiet_s`."""
        now = self._clock()
        if record.msg in _PASSING:
            since = self._heard.setdefault(str(record.msg), now)
            if now - since < self._quiet_s:
                return False
        if now - self._said.get(str(record.msg), -self._quiet_s) < self._quiet_s:
            return False
        self._said[str(record.msg)] = now
        return True


def hush() -> None:
    """Rate-limit what the Kafka client logs while a broker is away. Idempotent."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, Sparingly) for one in logger.filters):
            logger.addFilter(Sparingly())
