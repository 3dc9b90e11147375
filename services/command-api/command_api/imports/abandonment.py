"""Announced imports that will never count: their own instance fails them, or any other."""

import asyncio
import logging

from campaigns.domain.values.stream_names import import_stream
from campaigns.log.writer import Handled, Origin
from campaigns.process.errors import OperatingError
from command_api.commands.fail_import import FAIL_IMPORT, FailImport
from command_api.imports.chunks import CHUNK_TRIES_S, ImportService, decide, partition_of

STALE_S = 60.0  # Source: architecture "Facts": no chunk of an import was folded for that long.
STALE_CHECK_S = 5.0

assert CHUNK_TRIES_S < STALE_S, "an import whose chunk is still tried is not stale"

logger = logging.getLogger(__name__)


async def fail_import(
    service: ImportService, campaign_id: int, import_id: str, reason: str, origin: Origin
) -> bool:
    """Fail an announced import; return whether this call did it. Safe to repeat.

    Raises:
        OperatingError: see Writer.handle; the import is failed later, when it is found stale.

    """
    command = FailImport(campaign_id, import_id, reason, service.clock.now())
    return isinstance(await decide(service, FAIL_IMPORT, command, origin), Handled)


async def fail_stale_imports(
    service: ImportService, *, stale_s: float = STALE_S, check_s: float = STALE_CHECK_S
) -> None:
    """Fail, until cancelled, each import of which this instance folds no chunk for `stale_s`.

    The instance that ran it is dead or stuck; should it recover, its next chunk is refused. All
    instances do this, and the first one wins.
    """
    moved: dict[str, tuple[int, float]] = {}  # Import → its stream's version, since when.
    while True:
        await asyncio.sleep(check_s)
        now, before = service.clock.monotonic(), moved
        moved = {}
        under_way = list(service.campaigns.importing())
        for campaign in under_way:
            assert campaign.importing is not None, "asked above, and nothing was awaited"
            import_id = campaign.importing.import_id
            ledger = service.reader.ledger(partition_of(service, campaign.campaign_id))
            version = ledger.version(import_stream(import_id))
            seen, since = before.get(import_id, (version, now))
            moved[import_id] = (version, since if seen == version else now)
        for campaign in under_way:
            importing = campaign.importing
            if importing and now - moved.get(importing.import_id, (0, now))[1] >= stale_s:
                await _fail_stale(service, campaign.campaign_id, importing.import_id, stale_s)


async def _fail_stale(
    service: ImportService, campaign_id: int, import_id: str, stale_s: float
) -> None:
    origin = Origin("command-api", import_id)
    reason = f"Nothing of it arrived for {stale_s:g} s: the server that imported it has stopped"
    try:
        if await fail_import(service, campaign_id, import_id, reason, origin):
            logger.warning("import failed", extra={"campaign_id": campaign_id, "reason": reason})
    except OperatingError as exc:  # Tried again at the next check.
        logger.warning(
            "stale import not failed", extra={"campaign_id": campaign_id, "reason": str(exc)}
        )
