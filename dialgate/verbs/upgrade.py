"""`dialgate upgrade`: raises the level that an installation writes (ADR-0014)."""

from collections.abc import Callable

import orjson

from campaigns.domain.levels import LEVEL_NEWEST, LEVELS
from campaigns.log.installation_log import Author, decided, whole
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.process.identifiers import random_id
from campaigns.records.home import first_home, refuse_copy
from campaigns.records.installation import raise_level
from dialgate.logs import LOG_FILE, make_log
from dialgate.settings import ProcessSettings

BY = Author("dialgate upgrade", "operator")


async def upgrade(
    settings: ProcessSettings, show: Callable[[str], None], *, dry_run: bool, as_json: bool
) -> None:
    """Raise the level to the newest that this build knows, and print what it adds. Idempotent.

    A log that has no home yet is at home here from then on (ADR-0040).

    Works directly on the log, embedded or Kafka, also while Dialgate runs.

    Raises:
        ReadOnlyError: the log is a copy, and takes no changes.
        LevelBeyondError: the level is higher than this build knows.
        LogUnavailableError: there is no log, or it does not answer.

    """
    if not settings.kafka_servers and not (settings.data_dir / LOG_FILE).is_file():
        raise LogUnavailableError(f"expected a log in {settings.data_dir}, found none")
    clock = SystemClock()
    log = make_log(settings, exclusive=False, read_only=dry_run)
    try:
        await log.open()
        before = (installation := await whole(log)).level
        if not dry_run:
            refuse_copy(installation, log.place)
            await decided(
                log,
                lambda now: (
                    raise_level(now, LEVEL_NEWEST, clock.now())
                    or first_home(now, log.place, clock.now(), random_id())
                ),
                BY,
                clock,
            )
    finally:
        await log.close()
    adds = {level: LEVELS[level] for level in range(before + 1, LEVEL_NEWEST + 1)}
    if as_json:
        level = before if dry_run else LEVEL_NEWEST
        shape = {"before": before, "level": level, "newest": LEVEL_NEWEST}
        show(orjson.dumps(shape | {"adds": list(adds.values())}).decode())
        return
    for sentence in _sentences(before, adds, dry_run=dry_run):
        show(sentence)


def _sentences(before: int, adds: dict[int, str], *, dry_run: bool) -> list[str]:
    if not adds:
        return [f"level {before}, the newest that this build knows: nothing to raise"]
    told = [f"level {level} adds {what}" for level, what in adds.items()]
    if dry_run:
        return [
            f"level {before}; this build knows level {LEVEL_NEWEST}",
            *told,
            "raise it once no process runs an older build: the level cannot be lowered",
        ]
    return [
        f"level {LEVEL_NEWEST}; it was {before}",
        *told,
        "older builds stop at the next record of this level, and no longer start",
    ]
