"""The metrics that all parts count by, for operators."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
COMMANDS = Counter(
    "dialgate_commands_total",
    "Commands by how they ended.",
    ["command", "outcome"],
    registry=REGISTRY,
)
COMMAND_S = Histogram(
    "dialgate_command_seconds", "From a command's arrival to its answer.", ["command"],
    registry=REGISTRY,
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)  # fmt: skip
BARRIER_S = Histogram(
    "dialgate_barrier_seconds", "How long a pause or stop waited for permissions to be resolved.",
    registry=REGISTRY, buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 7, 10, 65),
)  # fmt: skip
CONNECTIONS = Gauge("dialgate_connections", "Open client connections.", registry=REGISTRY)
CLOSED = Counter(
    "dialgate_connections_closed_total", "Client connections closed by the server, by reason.",
    ["why"], registry=REGISTRY,
)  # fmt: skip
TOPIC_DOUBTS = Gauge(
    "dialgate_topic_doubts", "Conditions of a topic on Kafka that may cost records: see the log.",
    ["topic"], registry=REGISTRY,
)  # fmt: skip
KEYS_REFUSED = Counter(
    "dialgate_keys_refused_total", "Requests and sockets without a known key.",
    registry=REGISTRY,
)  # fmt: skip
SHARES_SPENT = Counter(
    "dialgate_shares_spent_total", "Requests refused because an organization's share was used up.",
    ["what"], registry=REGISTRY,
)  # fmt: skip
WEBHOOK_DELIVERIES = Counter(
    "dialgate_webhook_deliveries_total", "Events posted to webhooks, by what became of them.",
    ["outcome"], registry=REGISTRY,
)  # fmt: skip
