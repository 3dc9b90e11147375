"""Where a store is: its partitions' positions and digests."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from campaigns.process.errors import StoreElsewhereError
from campaigns.records.topics import Partition
from projector.store.tables import TRACKING

# Held to the end of the transaction. SQLite has one that writes at a time.
_ONE_WRITER = "select pg_advisory_xact_lock(hashtext('dialgate views'), hashtext(current_schema()))"
_POSITIONS = f"select application_name, position from {TRACKING.name}"


def places(tx: Connection) -> dict[str, tuple[int, bytes]]:
    """Return how far each partition is folded, and the digest of what was accepted there."""
    asked = select(TRACKING.c.application_name, TRACKING.c.position, TRACKING.c.digest)
    return {name: (position, bytes(digest)) for name, position, digest in tx.execute(asked)}


def is_stored(
    tx: Connection, before: Mapping[Partition, int], after: Mapping[Partition, int]
) -> bool:
    """Say whether a batch that moves partitions from `before` to `after` is stored already.

    Nobody else moves them before the transaction ends: tallies are differences, and a batch that
    two projectors stored at one moment would be counted twice.

    Raises:
        StoreElsewhereError: they are neither here nor there: the database was restored from an
            older copy, or another projector writes to it.

    """
    if tx.dialect.name != "sqlite":
        tx.exec_driver_sql(_ONE_WRITER)
    # As text: to build a query for these partitions alone takes longer than to read all.
    stored: dict[str, int] = dict(tx.exec_driver_sql(_POSITIONS).all())
    found = {partition: stored.get(str(partition), 0) for partition in after}
    if found == before:
        return False
    if found == after:
        return True
    raise StoreElsewhereError(
        f"the views' store: expected {_text(before)}, found {_text(found)}: it was restored from an"
        " older copy, or another projector writes to it; the next start goes on from there"
    )


def _text(positions: Mapping[Partition, int]) -> str:
    return ", ".join(f"{partition}@{position}" for partition, position in positions.items())
