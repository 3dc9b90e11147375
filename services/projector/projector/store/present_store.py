"""A store as it is, to look at: nothing in it is created, cleared or changed."""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, Table, func, inspect, select
from sqlalchemy import exc as errors

from campaigns.process.errors import StoreUnavailableError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, partition_of
from projector.store.database import VIEWS_FILE, Database
from projector.store.tables import ABOUT, METADATA, OUTBOX, SCHEMA_DIGEST, SCHEMA_VERSION, TRACKING


class PresentStore(Database):
    """The views of a projector, which may be in use."""

    def _connected(self) -> Engine:
        return self._made()

    @property
    def exists(self) -> bool:
        """Say whether there is a store.

        Raises:
            StoreUnavailableError: the database cannot be reached.

        """
        if self._url is None and not (
            self._data_dir is not None and (self._data_dir / VIEWS_FILE).is_file()
        ):
            return False  # SQLite would create it.
        try:
            return inspect(self.engine).has_table(ABOUT.name)
        except errors.OperationalError as exc:
            why = str(exc.orig).partition("\n")[0]
            raise StoreUnavailableError(f"the views' database cannot be used: {why}") from exc
        except errors.DatabaseError:
            return False  # Damaged: the next start rebuilds it.

    def about(self, tx: Connection) -> Mapping[str, str]:
        """Return what the store says about itself."""
        return {str(name): str(value) for name, value in tx.execute(select(ABOUT)).all()}

    def has_tables_of_this_build(self) -> bool:
        """Say whether all tables have the columns that they have in this build."""
        inspector = inspect(self.engine)
        return all(
            inspector.has_table(table.name)
            and {one["name"] for one in inspector.get_columns(table.name)} == set(_names(table))
            for table in METADATA.tables.values()
        )

    def positions(self, tx: Connection) -> dict[Partition, int]:
        """Return how far each partition is folded."""
        asked = select(TRACKING.c.application_name, TRACKING.c.position)
        return {partition_of(name): position for name, position in tx.execute(asked).all()}

    def reached(self, log_id: str, partition: Partition) -> int | None:
        """Return how far a partition of this log is folded, by this build's schema.

        None: there is no such store, or none that can be read.
        """
        try:
            if not self.exists:
                return None
            with self.reading() as tx:
                return self.positions(tx).get(partition, 0) if self.is_of(tx, log_id) else None
        except (errors.DatabaseError, StoreUnavailableError):
            return None

    def is_of(self, tx: Connection, log_id: str) -> bool:
        """Say whether the store is of this log, by this build's schema."""
        wanted = {"schema": str(SCHEMA_VERSION), "digest": SCHEMA_DIGEST, "log": log_id}
        about = self.about(tx)
        return all(about.get(name) == value for name, value in wanted.items())

    def unpublished(self, tx: Connection) -> dict[int, tuple[int, int]]:
        """Return for each partition a place from which on events may still have to be published.

        What stands before it in the store's fold is on campaign.events.
        """
        found = {
            partition.number: (position + 1, 0)
            for partition, position in self.positions(tx).items()
            if partition.topic == CAMPAIGN_RECORDS
        }
        asked = select(OUTBOX.c.partition, func.min(OUTBOX.c.position)).group_by(OUTBOX.c.partition)
        return found | {number: (position, 0) for number, position in tx.execute(asked).all()}


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]
