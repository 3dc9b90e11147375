"""Takes views that were rebuilt beside those in service into service, at a projector's start."""

import logging
from collections.abc import Mapping
from pathlib import Path

from campaigns.log.port import EventLog
from campaigns.process.errors import PartRunningError, StoreUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition
from projector.rebuild import fold_to, restored
from projector.store.present_store import PresentStore
from projector.store.ready_mark import is_ready
from projector.store.replacement import Replacement

logger = logging.getLogger(__name__)


async def adopt(
    replacement: Replacement,
    url: str | None,
    data_dir: Path | None,
    log: EventLog,
    installation: Installation,
    *,
    publishes: bool,
) -> bool:
    """Take a replacement that is ready into service; say whether there was one.

    First it is folded to where the views in service are, so that no query sees an older state than
    before. Nobody may be using either. Views of another log or build are discarded.

    Raises:
        LogCutError: the log does not hold what either was folded from; nothing was exchanged.

    """
    if not replacement.ready:
        return False
    try:
        with replacement.held():
            return await _adopt(replacement, url, data_dir, log, installation, publishes=publishes)
    except PartRunningError as exc:
        logger.warning("rebuilt views are not taken into service now: %s", exc)
        return False


async def _adopt(
    replacement: Replacement,
    url: str | None,
    data_dir: Path | None,
    log: EventLog,
    installation: Installation,
    *,
    publishes: bool,
) -> bool:
    store = replacement.opened()
    try:
        views = await restored(store, log, installation, publishes=publishes)
        if fits := is_ready(store):
            await fold_to(views, _positions(PresentStore(url, data_dir), log.id))
            await views.reader.check()
    finally:
        store.close()
    if not fits:
        logger.warning("the rebuilt views are of another log or build: they are discarded")
        replacement.discard()
        return False
    try:
        replacement.swap()
    except StoreUnavailableError as exc:
        logger.warning("the rebuilt views are not in service yet, the next start tries: %s", exc)
        return False
    logger.info("the rebuilt views are in service")
    return True


def _positions(serving: PresentStore, log_id: str) -> Mapping[Partition, int]:
    """Return where the views in service are; nothing if they are of another log, or damaged."""
    try:
        if not serving.exists:
            return {}
        with serving.reading() as tx:
            of_this_log = serving.about(tx).get("log") == log_id
            return serving.positions(tx) if of_this_log else {}
    finally:
        serving.disconnect()
