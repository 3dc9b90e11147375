"""Structured logs and correlation ids, for operators. Metrics: metrics.py."""

import logging
import sys
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar
from functools import cached_property

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")

QUIET_S = 10.0  # A logger repeats the same message at most once in this time.
WORDS_MAX = 1_000  # Messages remembered; libraries put addresses and the like into theirs.
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


class _Formatter(logging.Formatter):
    """Writes lines as log_lines.py says, which is loaded with the first one: it takes 0.1 s."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    @cached_property
    def lines(self) -> logging.Formatter:
        """Return what writes them."""
        from campaigns.process.log_lines import formatter

        return formatter(correlation_id, as_json=self._as_json)

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        return self.lines.format(record)


def configure_logging(
    level: str = "INFO", *, as_json: bool = True, of_structlog: bool = True
) -> None:
    """Send all logs, including the libraries', to stderr: one JSON object per line, or text.

    `of_structlog` False: a library's own structlog is not asked for before the first line.
    """
    formatter = _Formatter(as_json=as_json)
    if of_structlog:
        assert formatter.lines, "they are loaded"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
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
