"""Where deliveries stand, and who makes them: in a store that no rebuild of the views clears.

`webhooks.db` beside the views' file, or two tables of the views' PostgreSQL, which the projectors
on it share: each webhook is one projector's for the time of a lease (ADR-0038).
"""

import math
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    exc,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from campaigns.process.errors import StoreUnavailableError
from projector.store.engines import engine_of

DELIVERIES_FILE = "webhooks.db"  # In the data directory.
KEPT_MS = 30 * 86_400_000  # Rows that nobody has held for so long are of ended webhooks.

_TABLES = MetaData()
_DELIVERIES = Table(
    "dialgate_deliveries",
    _TABLES,
    Column("webhook_id", String, primary_key=True),
    Column("owner", String),  # The projector that delivers. None: nobody.
    Column("held_until", BigInteger, nullable=False),  # Unix milliseconds.
    Column("state", LargeBinary),  # A Standing. None: nothing was delivered yet.
)
_DELIVERERS = Table(
    "dialgate_deliverers",
    _TABLES,
    Column("owner", String, primary_key=True),
    Column("seen_until", BigInteger, nullable=False),  # Unix milliseconds.
)


@dataclass
class Held:
    """What one projector holds."""

    states: dict[str, bytes | None] = field(default_factory=dict)  # By webhook.
    anew: set[str] = field(default_factory=set)  # Of these, what it did not hold just before.
    surplus: int = 0  # So many more than its share: others wait for them.


class DeliveryStore:
    """The two tables. Blocking: called in a thread."""

    def __init__(self, url: str | None, data_dir: Path | None) -> None:
        """Store the address. `url` as the views have it; both None: a temporary file."""
        self._url, self._data_dir = url, data_dir
        self._engine: Engine | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._connecting = Lock()  # Threads that come first make one engine, and its tables once.

    @property
    def _connected(self) -> Engine:
        with self._connecting:
            if self._engine is None:
                made = self._made()
                try:
                    _TABLES.create_all(made)
                except exc.OperationalError as failure:
                    made.dispose()
                    raise _away(failure) from failure
                self._engine = made
            return self._engine

    def _made(self) -> Engine:
        if self._url is not None:
            return engine_of(self._url)
        if self._data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="dialgate-")
            self._data_dir = Path(self._temporary.name)
        return engine_of(f"sqlite:///{self._data_dir / DELIVERIES_FILE}")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _answering(), self._connected.connect() as connection:
            tx = connection.execution_options(writes=True)
            with tx.begin():
                yield tx

    def hold(self, owner: str, ids: Collection[str], now_ms: int, lease_ms: int) -> Held:
        """Renew the leases of these webhooks, and take free ones up to a fair share.

        Raises:
            StoreUnavailableError: the database does not answer.

        """
        until = now_ms + lease_ms
        with self._writing() as tx:
            self._seen(tx, owner, until)
            alive = tx.execute(
                select(func.count()).where(_DELIVERERS.c.seen_until > now_ms)
            ).scalar_one()
            tx.execute(delete(_DELIVERERS).where(_DELIVERERS.c.seen_until <= now_ms))
            tx.execute(delete(_DELIVERIES).where(_DELIVERIES.c.held_until < now_ms - KEPT_MS))
            wanted = set(ids)
            rows = {row.webhook_id: row for row in tx.execute(select(_DELIVERIES))}
            mine = [one for one in wanted if one in rows and rows[one].owner == owner]
            free = [
                one
                for one in sorted(wanted - set(mine))
                if one not in rows or rows[one].owner is None or rows[one].held_until <= now_ms
            ]
            fair = math.ceil(len(wanted) / max(alive, 1))
            chosen = [*mine, *free[: max(0, fair - len(mine))]]
            taken = [one for one in chosen if self._take(tx, one, owner, now_ms, until)]
            states = {one: rows[one].state if one in rows else None for one in taken}
        return Held(states, set(taken) - set(mine), max(0, len(mine) - fair))

    def now_ms(self, here: datetime) -> int:
        """Return the time by which leases run out, in Unix ms: PostgreSQL's; a file's is `here`.

        Raises:
            StoreUnavailableError: the database does not answer.

        """
        with _answering(), self._connected.connect() as tx:
            if tx.dialect.name == "sqlite":
                return int(here.timestamp() * 1000)
            asked = select(1000 * func.extract("epoch", func.clock_timestamp()))
            return int(tx.execute(asked).scalar_one())  # Its projectors' own clocks may differ.

    def _seen(self, tx: Connection, owner: str, until: int) -> None:
        made = self._insert(_DELIVERERS).values(owner=owner, seen_until=until)
        tx.execute(
            made.on_conflict_do_update(
                index_elements=[_DELIVERERS.c.owner], set_={"seen_until": until}
            )
        )

    def _take(self, tx: Connection, one: str, owner: str, now_ms: int, until: int) -> bool:
        made = self._insert(_DELIVERIES).values(webhook_id=one, owner=owner, held_until=until)
        free = or_(
            _DELIVERIES.c.owner.is_(None),
            _DELIVERIES.c.owner == owner,
            _DELIVERIES.c.held_until <= now_ms,
        )
        taking = made.on_conflict_do_update(
            index_elements=[_DELIVERIES.c.webhook_id],
            set_={"owner": owner, "held_until": until},
            where=free,
        ).returning(_DELIVERIES.c.webhook_id)
        return tx.execute(taking).first() is not None

    def save(self, owner: str, states: Mapping[str, bytes]) -> set[str]:
        """Store where deliveries stand; return those webhooks that are another's by now.

        Raises:
            StoreUnavailableError: the database does not answer.

        """
        lost = set()
        with self._writing() as tx:
            for webhook_id, state in states.items():
                saving = (
                    update(_DELIVERIES)
                    .where(_DELIVERIES.c.webhook_id == webhook_id, _DELIVERIES.c.owner == owner)
                    .values(state=state)
                    .returning(_DELIVERIES.c.webhook_id)
                )
                if tx.execute(saving).first() is None:
                    lost.add(webhook_id)
        return lost

    def release(self, owner: str, ids: Sequence[str]) -> None:
        """Let others have these webhooks.

        Raises:
            StoreUnavailableError: the database does not answer; the leases run out.

        """
        if not ids:
            return
        with self._writing() as tx:
            tx.execute(
                update(_DELIVERIES)
                .where(_DELIVERIES.c.webhook_id.in_(ids), _DELIVERIES.c.owner == owner)
                .values(owner=None)
            )

    def leave(self, owner: str) -> None:
        """Let others have everything: this projector delivers no more."""
        with suppress(StoreUnavailableError), self._writing() as tx:
            tx.execute(update(_DELIVERIES).where(_DELIVERIES.c.owner == owner).values(owner=None))
            tx.execute(delete(_DELIVERERS).where(_DELIVERERS.c.owner == owner))

    def states(self, ids: Collection[str]) -> dict[str, bytes]:
        """Return where these deliveries stand, as far as it was saved.

        Raises:
            StoreUnavailableError: the database does not answer.

        """
        asked = select(_DELIVERIES.c.webhook_id, _DELIVERIES.c.state).where(
            _DELIVERIES.c.webhook_id.in_(ids), _DELIVERIES.c.state.is_not(None)
        )
        with _answering(), self._connected.connect() as tx:
            return {webhook_id: bytes(state) for webhook_id, state in tx.execute(asked)}

    def _insert(self, table: Table) -> Any:  # Any: each dialect has its own Insert.
        if self._connected.dialect.name == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # Imported late: it loads its drivers.

        return postgresql.insert(table)

    def close(self) -> None:
        """Close all connections, and delete a temporary file."""
        if self._engine is not None:
            self._engine.dispose()
        if self._temporary is not None:
            self._temporary.cleanup()


@contextmanager
def _answering() -> Iterator[None]:
    """Turn a database's failure into ours."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError) as failure:
        raise _away(failure) from failure


def _away(failure: exc.DBAPIError) -> StoreUnavailableError:
    why = str(failure.orig).partition("\n")[0]
    return StoreUnavailableError(f"the deliveries' database cannot be used: {why}")
