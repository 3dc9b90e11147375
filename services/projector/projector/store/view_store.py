"""The store of the views, with their ledgers and checkpoints.

It is a TrackingRecorder of the eventsourcing library: view, ledger and position move in one
transaction (ADR-0007). It is a cache of the log: a store of another schema or log is rebuilt.
"""

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Condition, Event

from eventsourcing.persistence import (
    IntegrityError,
    Tracking,
    TrackingRecorder,
    WaitInterruptedError,
)
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from campaigns.log.digest import Chain
from campaigns.log.port import refuse_recreated
from campaigns.log.reader import Reader
from campaigns.process.errors import StoreUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition, partition_of
from projector.store.database import Database
from projector.store.tables import ABOUT, LEDGERS, SCHEMA_DIGEST, SCHEMA_VERSION, TRACKING

logger = logging.getLogger(__name__)

_POLL_S = 0.02  # How soon a waiting thread notices that it was interrupted.


class ViewStore(Database, TrackingRecorder):
    """All views, with their ledgers and checkpoints."""

    def __init__(self, url: str | None, data_dir: Path | None) -> None:
        """Store the address, as `Database` does."""
        super().__init__(url, data_dir)
        self._moved = Condition()
        self._about: dict[str, str] = {}  # The content of ABOUT, once known.
        self.away: str | None = None  # Why nothing can be stored now; whoever writes waits.
        self.unreadable = False  # True: part of it could not be read, and `close` deletes it.

    def belongs_to(
        self, log_id: str, *, publishes: bool, installation: Installation | None = None
    ) -> None:
        """Make sure that the store is of that log and of this schema; otherwise clear it.

        It is also cleared when it has passed a record that `installation` has skipped since, and
        when it `publishes` now but was folded without an outbox.

        Raises:
            LogCutError: its log was deleted, and another one created in its place; the store is
                unchanged.

        """
        about = self._stored_about()
        wanted = {"schema": str(SCHEMA_VERSION), "digest": SCHEMA_DIGEST, "log": log_id}
        holds = installation or Installation()
        self._about = wanted | {
            "publishes": "yes" if publishes else "no", "skipped": holds.marks.decode(),
        }  # fmt: skip
        if about:
            refuse_recreated(self.where, about.get("log", ""), log_id)
        if self.altered or (
            about
            and (
                any(about.get(name) != value for name, value in wanted.items())
                or (publishes and about.get("publishes") != "yes")
                or holds.unlike(about.get("skipped", "[]").encode(), self._positions())
            )
        ):
            logger.info(
                "the views are of another log or schema, or passed a record that was skipped"
                " since: they are rebuilt from the log"
            )
            self.clear()
        self._write_about()

    def _stored_about(self) -> dict[str, str]:
        """Return the store's metadata; none if it is new or has other columns."""
        try:
            with self.reading() as tx:
                return dict(tx.execute(select(ABOUT.c.name, ABOUT.c.value)).all())
        except (OperationalError, ProgrammingError):
            if not self.altered:
                raise
            return {}

    def _positions(self) -> dict[Partition, int]:
        asked = select(TRACKING.c.application_name, TRACKING.c.position)
        with self.reading() as tx:
            return {partition_of(name): position for name, position in tx.execute(asked).all()}

    def rebuild(self) -> None:
        """Clear all views, to fold them from the log again."""
        self.clear()
        self._write_about()

    def _write_about(self) -> None:
        with self.writing() as tx:
            self.put(tx, ABOUT, [{"name": k, "value": v} for k, v in self._about.items()])

    def move(
        self,
        tx: Connection,
        partition: Partition,
        facts: int,
        position: int,
        chain: Chain,
        ledger: Iterable[tuple[str, bytes]],
    ) -> None:
        """Move a partition's checkpoint, in the transaction of its views.

        `facts`: how many facts the partition has accepted so far.
        """
        name = str(partition)
        self.put_values(tx, LEDGERS, [(name, *change) for change in ledger])
        tracking = {"application_name": name, "notification_id": facts}
        self.put(tx, TRACKING, [tracking | _place(position, chain)])

    def restore(self, reader: Reader, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Load the checkpoints into `reader`; return how many facts each partition has accepted."""
        facts = {}
        with self.reading() as tx:
            checkpoints = {row.application_name: row for row in tx.execute(select(TRACKING))}
            for partition in partitions:
                if found := checkpoints.get(str(partition)):
                    reader.positions[partition] = found.position
                    reader.chains[partition] = Chain(
                        bytes(found.digest), bytes(found.digest_before), found.last_accepted
                    )
                    facts[partition] = int(found.notification_id)
                    rows = select(LEDGERS.c.key, LEDGERS.c.value).where(
                        LEDGERS.c.application_name == str(partition)
                    )
                    reader.ledger(partition).load(tx.execute(rows))
        return facts

    def trouble(self) -> str | None:
        """Return why the database cannot be read now; None: it can."""
        try:
            with self.reading() as tx:
                tx.execute(select(ABOUT.c.name).limit(1)).all()
        except StoreUnavailableError as exc:
            return str(exc)
        return None

    def moved(self) -> None:
        """Wake the threads in `wait`, after a commit."""
        with self._moved:
            self._moved.notify_all()

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record an application's notification id, without a view.

        Raises:
            IntegrityError: this id, or a later one, is recorded already.

        """
        made = self.insert(TRACKING).values(
            application_name=tracking.application_name,
            notification_id=tracking.notification_id,
            **_place(0, Chain()),
        )
        # RETURNING says whether it moved: a driver may not know its row count (-1).
        moving = made.on_conflict_do_update(
            index_elements=[TRACKING.c.application_name],
            set_={"notification_id": made.excluded.notification_id},
            where=TRACKING.c.notification_id < made.excluded.notification_id,
        ).returning(TRACKING.c.notification_id)
        with self.writing() as tx:
            moved = tx.execute(moving).first()
        if moved is None:
            raise IntegrityError(
                f"{tracking.application_name}: expected an id after"
                f" {self.max_tracking_id(tracking.application_name)},"
                f" found {tracking.notification_id}"
            )
        self.moved()

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last notification id of an application, or None when it has none."""
        asked = select(TRACKING.c.notification_id).where(
            TRACKING.c.application_name == application_name
        )
        with self.reading() as tx:
            return tx.execute(asked).scalar() or None

    def wait(
        self,
        application_name: str,
        notification_id: int | None,
        timeout: float = 1.0,
        interrupt: Event | None = None,
    ) -> None:
        """Block a thread until a notification id is reached. `timeout` in seconds.

        Raises:
            TimeoutError: it was not reached in time.
            WaitInterruptedError: `interrupt` was set before.

        """
        deadline = time.monotonic() + timeout
        with self._moved:
            while not self.has_tracking_id(application_name, notification_id):
                if interrupt is not None and interrupt.is_set():
                    raise WaitInterruptedError
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{application_name}: expected notification {notification_id}"
                        f" within {timeout} s"
                    )
                self._moved.wait(left if interrupt is None else min(left, _POLL_S))

    def close(self) -> None:
        """Close all connections; delete a store that could not be read."""
        if self.unreadable:
            logger.warning("%s cannot be read: the next start rebuilds it", self.where)
            self.clear()
        self.disconnect()


def _place(position: int, chain: Chain) -> dict[str, int | bytes]:
    return {
        "position": position,
        "digest": chain.digest,
        "digest_before": chain.before,
        "last_accepted": chain.last,
    }
