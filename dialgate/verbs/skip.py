"""`dialgate skip`: lets readers pass over one record that stops them all (ADR-0015)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from campaigns.audit.masks import masked_bytes
from campaigns.audit.rulings import PartitionRuling
from campaigns.log.installation_log import Author, decided, whole
from campaigns.log.port import EventLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import ContractError, LevelBeyondError, LogUnavailableError
from campaigns.records.installation import Installation, digest_of, skip_record
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import NAMING_TOPICS, Partition
from dialgate.logs import LOG_FILE, make_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.verb import MisusedError

BY = Author("dialgate skip", "operator")
PLACE = re.compile(r"(\d{1,9})@([1-9]\d{0,15})", re.ASCII)
DIGEST_CHARS = 12  # Of SHA-256: enough to identify a record, few enough to type.
SHOWN_CHARS = 2_000  # Of the record, at most.
CHUNK = 1_000  # Records a read.


@dataclass(frozen=True, slots=True)
class Asked:
    """Which record to skip, and why."""

    topic: str
    place: str  # partition@position, as in the message of a ContractError.
    reason: str
    digest: str | None  # The first characters of its digest, as a confirmation. None: only print.
    reveal: bool = False  # Show personal data.


async def skip(settings: ProcessSettings, show: Callable[[str], None], asked: Asked) -> None:
    """Print a record that stops readers; skip it once its digest confirms it.

    Works directly on the log, also while Dialgate runs. Idempotent.

    Raises:
        ReadOnlyError: the log is a copy, and takes no changes.
        MisusedError: there is no such record, it stops no reader, or it is not confirmed.
        LevelBeyondError: this build is too old for this installation.
        LogUnavailableError: there is no log, or it does not answer.

    """
    if not settings.kafka_servers and not (settings.data_dir / LOG_FILE).is_file():
        raise LogUnavailableError(f"expected a log in {settings.data_dir}, found none")
    clock = SystemClock()
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        partition, position = _place(log, asked)
        installation = await whole(log)
        recorded, why = await _stopping(log, installation, partition, position)
        if why is None:
            show(f"{recorded.where} is skipped already")
            return
        for line in _shown(recorded, why, asked):
            show(line)
        _confirmed(recorded, asked)
        await decided(
            log, lambda now: skip_record(now, recorded, asked.reason, clock.now()), BY, clock
        )
    finally:
        await log.close()
    show(
        f"{recorded.where} is skipped: it counts for no reader; restart the processes that stopped"
    )


def _place(log: EventLog, asked: Asked) -> tuple[Partition, int]:
    if asked.topic not in NAMING_TOPICS:
        raise MisusedError(f"expected a topic of {', '.join(NAMING_TOPICS)}, found {asked.topic}")
    if not (match := PLACE.fullmatch(asked.place)):
        raise MisusedError(f"expected partition@position, such as 0@13, found {asked.place}")
    number, position = map(int, match.groups())
    if number >= (count := log.partitions(asked.topic)):
        raise MisusedError(f"expected a partition below {count}, found {number}")
    if not asked.reason.strip():
        raise MisusedError("--reason: expected the reason to record in the log, found none")
    return Partition(asked.topic, number), position


async def _stopping(
    log: EventLog, installation: Installation, partition: Partition, position: int
) -> tuple[Recorded, str | None]:
    """Return the record, and why it stops readers; None means that it is skipped already.

    Reads the partition from its beginning: the ruling on a record depends on those before it.
    """
    after, skipped = 0, installation.skipped.get(partition, {})
    ruling = PartitionRuling(skipped)
    while True:
        batch = await log.read(partition, after, min(CHUNK, position - after))
        if not batch:
            raise MisusedError(f"expected {partition}@{position}, found the end at {after}")
        for recorded in batch:
            after = recorded.position
            if after == position:
                if position in skipped:
                    return recorded, None
                return recorded, _why(ruling, recorded)
            if after not in skipped:
                _pass(ruling, recorded)


def _pass(ruling: PartitionRuling, recorded: Recorded) -> None:
    try:
        envelope = recorded.envelope
    except LevelBeyondError as exc:
        raise MisusedError(f"an earlier record stops readers first: {exc}") from exc
    if isinstance(envelope, Envelope):
        ruling.ledger.admit(envelope)


def _why(ruling: PartitionRuling, recorded: Recorded) -> str:
    """Return why a record stops readers."""
    try:
        ruled = ruling.rule(recorded)
    except ContractError as exc:
        return str(exc)
    raise MisusedError(
        f"{recorded.where} stops no reader: this build can read it, and it is {ruled.ruling}"
    )


def _shown(recorded: Recorded, why: str, asked: Asked) -> list[str]:
    raw = recorded.raw or b""
    lines = [f"{recorded.where}, {len(raw)} bytes, SHA-256 {digest_of(recorded)}", f"why: {why}"]
    try:
        found: Any = orjson.loads(raw)  # Any: bytes of unknown origin.
        facts = ", ".join(f"{fact['type']} {fact['stream']}" for fact in found["facts"])
        lines.append(f"{found['time']}  {found['source']}  {found['actor']}  {facts}")
    except (ValueError, TypeError, KeyError):
        lines.append("its time, source and facts cannot be read")
    text = raw.decode(errors="backslashreplace") if asked.reveal else masked_bytes(raw)
    lines.append(text[:SHOWN_CHARS] + ("…" if len(text) > SHOWN_CHARS else ""))
    return lines if asked.reveal else [*lines, "personal data is masked: --reveal shows it"]


def _confirmed(recorded: Recorded, asked: Asked) -> None:
    digest = digest_of(recorded)
    given = (asked.digest or "").lower()
    if len(given) >= DIGEST_CHARS and digest.startswith(given):
        return
    found = "found nothing" if asked.digest is None else f"found --yes {asked.digest}"
    raise MisusedError(
        "nothing was recorded. A skipped record counts for no reader, and this cannot be undone. To"
        f" skip it: expected --yes {digest[:DIGEST_CHARS]}, {found}"
    )
