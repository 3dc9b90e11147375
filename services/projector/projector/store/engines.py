"""Connects to the two databases, and tells their being away from a mistake.

SQLite's file is there or damaged. PostgreSQL may be away, and come back: what fails because of that
is a StoreUnavailableError, which queries answer as 503 and the projector waits out (ADR-0035).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as errors

from campaigns.process.errors import StoreUnavailableError

CONNECT_S = 5  # libpq waits at least two seconds.
SILENT_MS = 10_000  # Unacknowledged bytes for so long: the connection has ended.
# SQLSTATE classes of a server that is away, starting, stopping, full, or no longer the primary.
# Source: PostgreSQL's documentation, appendix A.
_AWAY = ("08", "53", "57P", "58", "25006", "40001", "40P01", "55P03")


def engine_of(url: str) -> Engine:
    """Return an engine, which has not connected yet. `url` is SQLAlchemy's."""
    if make_url(url).get_backend_name() != "postgresql":
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _tune)
            event.listen(engine, "begin", _begin)
        return engine
    made = make_url(url.replace("postgresql://", "postgresql+psycopg://", 1))
    limits = {"connect_timeout": CONNECT_S, "tcp_user_timeout": SILENT_MS}
    # Asked before use: a connection from before a restart is replaced, and no query fails for it.
    return create_engine(
        made,
        pool_pre_ping=True,
        connect_args={name: most for name, most in limits.items() if name not in made.query},
    )


@contextmanager
def answered() -> Iterator[None]:
    """Raise what PostgreSQL cannot do now as a StoreUnavailableError: in one line, no secrets."""
    try:
        yield
    except (errors.DBAPIError, errors.TimeoutError) as exc:
        if not _is_away(exc):
            raise
        cause = exc.orig if isinstance(exc, errors.DBAPIError) else exc
        raise StoreUnavailableError(
            f"the views' database cannot be used: {str(cause).partition(chr(10))[0]}"
        ) from exc


def _is_away(exc: errors.DBAPIError | errors.TimeoutError) -> bool:
    if isinstance(exc, errors.TimeoutError):
        return True  # All connections are in use.
    if not type(exc.orig).__module__.startswith("psycopg"):
        return False
    state: str | None = getattr(exc.orig, "sqlstate", None)
    if state is None:  # Not from the server: there is none, or the connection was lost.
        return isinstance(exc, errors.OperationalError | errors.InterfaceError)
    return state.startswith(_AWAY)


def _tune(connection: Any, _: Any) -> None:
    """Configure a new SQLite connection. Any: the driver's own connection."""
    connection.isolation_level = None  # `_begin` begins all transactions, reading ones included.
    for pragma in ("busy_timeout = 10000", "journal_mode = wal", "synchronous = normal"):
        connection.execute(f"pragma {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")
