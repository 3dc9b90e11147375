"""The views that a projector has stored, for verbs that use its index of a campaign's records."""

import asyncio
from typing import TYPE_CHECKING

from campaigns.records.topics import Partition
from dialgate.settings import ProcessSettings
from dialgate.verbs.terminal import complain
from dialgate.verbs.verb import Source

if TYPE_CHECKING:  # A process loads SQLAlchemy and the projector only where it uses them.
    from projector.store.present_store import PresentStore

STILL_S = 1.0  # A store that is behind is waited for until it has not moved for so long.
_LOOK_S = 0.05


async def views_at_hand(
    settings: ProcessSettings, read: Source, partition: Partition, wanted: int
) -> "PresentStore | None":
    """Return the projector's store once it has reached the position; None: it will not."""
    from projector.settings import ProjectorSettings
    from projector.store.present_store import PresentStore

    url = ProjectorSettings().database_url
    store = PresentStore(url.get_secret_value() if url else None, settings.data_dir)
    reached, still = -1, 0.0
    while still < STILL_S:
        now = await asyncio.to_thread(store.reached, read.log.id, partition)
        if now is None:
            break
        if now >= wanted:
            return store
        reached, still = now, (still + _LOOK_S if now == reached else 0.0)
        await asyncio.sleep(_LOOK_S)
    store.disconnect()
    if reached >= 0:
        complain(
            f"dialgate: the projector's store is behind, at {partition.number}@{reached}:"
            f" {partition} is read from its beginning"
        )
    return None
