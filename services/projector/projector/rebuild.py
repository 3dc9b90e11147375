"""Makes the views anew from the log, beside those in service, and compares the two row by row."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from campaigns.domain.facts import AnyKeyFact
from campaigns.log.port import BATCH_MAX, EventLog, refuse_beyond
from campaigns.process.errors import LogCutError
from campaigns.records.installation import Installation
from campaigns.records.steps import bounded
from campaigns.records.topics import CAMPAIGN_RECORDS, ORGANIZATIONS, Partition, campaign_partitions
from projector.advance import Views
from projector.store.comparison import differences
from projector.store.present_store import PresentStore
from projector.store.publication import (
    Publication,
    publication_of,
    store_publication,
)
from projector.store.ready_mark import mark_ready
from projector.store.replacement import Replacement
from projector.store.view_store import ViewStore

ROUNDS = 3  # The views in service move on meanwhile: each round has less left to fold.


@dataclass
class Rebuilt:
    """What a rebuild found."""

    positions: Mapping[Partition, int] = field(default_factory=dict)  # Where both were compared.
    rows: int = 0  # Compared.
    differences: int = 0
    shown: list[str] = field(default_factory=list)  # The first differences, in words.
    compared: bool = True  # False: the views in service are of another build.
    ready: bool = False  # The projector's next start takes the new views into service.


def partitions_of_views(log: EventLog) -> Sequence[Partition]:
    """Return the partitions that the views are folded from."""
    return (*campaign_partitions(log.partitions(CAMPAIGN_RECORDS)), ORGANIZATIONS)


async def restored(
    store: ViewStore,
    log: EventLog,
    installation: Installation,
    *,
    publishes: bool,
    on_key: Callable[[AnyKeyFact], None] = lambda _: None,
) -> Views:
    """Return a store's views at their checkpoint: from the log's beginning if it is new.

    A store that is not of this log and build is cleared.
    """
    views = Views(store, log, publishes, on_key)
    await views.reader.begin(installation)

    def read() -> None:
        store.belongs_to(log.id, publishes=publishes, installation=installation)
        views.restore(partitions_of_views(log))

    await asyncio.to_thread(read)
    return views


async def fold_to(
    views: Views, ends: Mapping[Partition, int], told: Callable[[int], None] = lambda _: None
) -> None:
    """Fold and store exactly up to these positions; `told` how many records more are done.

    Raises:
        LogCutError: the log does not reach so far.
        ContractError: it holds a fact that this build does not know.

    """
    positions = views.reader.positions
    for partition, end in ends.items():
        while (position := positions.get(partition, 0)) < end:
            limit = min(BATCH_MAX, end - position)
            batch = await views.log.read(partition, position, limit)
            if not batch:
                refuse_beyond(partition, end, position)
            for some in bounded(batch):
                views.reader.step(partition, some)
                await views.reader.rest()
            told(len(batch))


async def rebuild(
    log: EventLog,
    installation: Installation,
    serving: PresentStore,
    replacement: Replacement,
    *,
    shown_max: int = 20,
    publish_again: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Fold the log into a replacement of the views in service, and compare both at one position.

    The projector may be running: the views in service are read as of one instant. The replacement
    is not ready yet; `finish` or `discard` it. What the views in service have published is not put
    into its outbox again, and everything else is. `publish_again`: all is, to be published from the
    beginning.

    Raises:
        LogCutError: the views in service are of another log, or of more than this one holds.
        ContractError: the log holds a fact that this build does not know.

    """
    with serving.reading() as tx:
        about, ends, unpublished = serving.about(tx), serving.positions(tx), serving.unpublished(tx)
    if about.get("log") != log.id:
        raise LogCutError(
            f"{serving.where}: expected views of the log {log.id}, found those of"
            f" {about.get('log')}: the projector's next start rebuilds them"
        )
    replacement.discard()
    store, publishes = replacement.opened(), about.get("publishes") == "yes"
    try:
        views = await restored(store, log, installation, publishes=publishes)
        if not publish_again:
            views.published |= unpublished
        for _ in range(ROUNDS):
            await fold_to(views, ends, told)
            with serving.reading() as tx:
                ends = serving.positions(tx)
        with serving.reading() as tx:
            found = Rebuilt(serving.positions(tx))
            await fold_to(views, found.positions, told)
            _note_publication(store, about, log, again=publish_again)
            found.compared = serving.has_tables_of_this_build()
            if found.compared:
                _compare(serving, tx, store, found, shown_max)
    finally:
        store.close()
    return found


def _note_publication(
    store: ViewStore, about: Mapping[str, str], log: EventLog, *, again: bool
) -> None:
    """Have the new views know what the old ones knew of campaign.events, or publish it again."""
    every = frozenset(range(log.partitions(CAMPAIGN_RECORDS)))
    known = Publication(again=every) if again else publication_of(about)
    with store.writing() as tx:
        store_publication(store, tx, known)


def _compare(
    serving: PresentStore, tx: Connection, store: ViewStore, found: Rebuilt, shown_max: int
) -> None:
    counted = [0]
    with store.reading() as theirs:
        for one in differences(tx, theirs, counted):
            found.differences += 1
            if found.differences <= shown_max:
                found.shown.append(one.text("old", "new"))
    found.rows = counted[0]


def finish(replacement: Replacement, found: Rebuilt) -> None:
    """Let the projector take the new views into service."""
    store = replacement.opened()
    try:
        mark_ready(store)
    finally:
        store.close()
    found.ready = True
