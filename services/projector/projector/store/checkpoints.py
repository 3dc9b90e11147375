"""Where a store is: its partitions' positions and digests."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from campaigns.process.errors import StoreElsewhereError
from campaigns.records.topics import Partition
from projector.store.tables import TRACKING

_POSITIONS = f"select application_name, position from {TRACKING.name}"


def places(tx: Connection) -> dict[str, tuple[int, bytes]]:
    """Return how far each partition is folded, and the digest of what was accepted there."""
    asked = select(TRACKING.c.application_name, TRACKING.c.position, TRACKING.c.digest)
    return {name: (position, bytes(digest)) for name, position, digest in tx.execute(asked)}


def is_stored(
    tx: Connection, before: Mapping[Partition, int], after: Mapping[Partition, int]
) -> bool:
    """Say whether a batch that moves partitions from `before` to `after` is stored already.

    Raises:
        StoreElsewhereError: they are neither here nor there: the database was restored from an
            older copy, or another projector writes to it.

    """
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
