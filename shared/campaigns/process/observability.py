"""Structured logs, correlation ids and metrics, for operators."""

import logging
import sys
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from campaigns.process.printable_text import clean

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")

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

QUIET_S = 10.0  # A logger repeats the same message at most once in this time.
WORDS_MAX = 1_000  # Messages remembered; libraries put addresses and the like into theirs.
# The names of `extra` that become fields of a line.
FIELDS = frozenset({"campaign_id", "chunks", "import_id", "reason"})
WINDOW_S, LINES_MAX = 60.0, 300  # At most so many lines of one logger in that time.


class Sparingly(logging.Filter):
    """Limits repetitions of a message: an outage is one line every QUIET_S, not thousands."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, passing: Collection[str] = ()
    ) -> None:
        """`passing`: templates of transient problems, logged only once they have lasted QUIET_S."""
        super().__init__()
        self._clock, self._passing = clock, passing
        self._logged_at: dict[str, float] = {}  # By message.
        self._first_at: dict[str, float] = {}  # By message, of `passing` templates.

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to log a record: not the same template twice within QUIET_S."""
        now, words = self._clock(), _words(record)
        if record.msg in self._passing:
            since = self._first_at.setdefault(words, now)
            if now - since < QUIET_S:
                return False
        if now - self._logged_at.get(words, -QUIET_S) < QUIET_S:
            return False
        if len(self._logged_at) >= WORDS_MAX:
            self._logged_at.clear()
        self._logged_at[words] = now
        return True


def _words(record: logging.LogRecord) -> str:
    """Return what identifies a message: its template's first line and the exception's type."""
    raised = record.exc_info[0] if record.exc_info else None
    return f"{str(record.msg).partition(chr(10))[0]} {raised.__name__ if raised else ''}"


class Bounded(logging.Filter):
    """Limits each logger to LINES_MAX lines per WINDOW_S: no client can fill a disk with logs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, tuple[float, int]] = {}  # Logger → window's begin, its lines.

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to log a record; a window's first line counts the lines left out before."""
        now = self._clock()
        since, lines = self._counts.get(record.name, (now, 0))
        if now - since >= WINDOW_S:
            if lines > LINES_MAX:
                record.msg = f"{record.msg} ({lines - LINES_MAX} earlier lines were left out)"
            since, lines = now, 0
        self._counts[record.name] = (since, lines + 1)
        return lines < LINES_MAX


def _add_correlation(
    _: object, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    if found := correlation_id.get():
        event.setdefault("correlation_id", found)
    return event


def _clean(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for name, value in event.items():
        event[name] = clean(value) if isinstance(value, str | Exception) else value
    return event


def configure_logging(level: str = "INFO", *, as_json: bool = True) -> None:
    """Send all logs, including the libraries', to stderr: one JSON object per line, or text."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(  # A library may use structlog: its lines take the same path.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _clean, render],
        )
    )
    handler.addFilter(Bounded())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiokafka", "httpx", "httpcore", "uvicorn", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for provoked in ("asyncio", "python_multipart.multipart", "uvicorn.error"):
        limit_repetitions(logging.getLogger(provoked))  # Clients can trigger their lines at will.


def limit_repetitions(logger: logging.Logger, *, passing: Collection[str] = ()) -> None:
    """Give a logger a `Sparingly` filter, once. `passing`: as there."""
    if not any(isinstance(one, Sparingly) for one in logger.filters):
        logger.addFilter(Sparingly(passing=passing))
