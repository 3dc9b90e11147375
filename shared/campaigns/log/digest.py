"""The running digest of a partition's accepted records, and the checks that use it.

Two logs, or two readers, with the same digest at a position have the same accepted records in the
same order. A reader keeps the digest with its position and uses it to verify that the log still
contains what was folded (ADR-0016).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from campaigns.log.port import BATCH_MAX, EventLog, refuse_beyond
from campaigns.process.errors import LogCutError, LogUnavailableError
from campaigns.records.installation import Skipped, confirm
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition

logger = logging.getLogger(__name__)

NOTHING = bytes(32)  # The digest of a partition in which nothing was accepted yet.
CHECK_S = 30.0  # How long a start may wait for the records to compare: as long as for the log.
_CHECK_AGAIN_S = 0.2
_CUT = "the log was cut, and has grown again"
_EMPTY = sha256()


def _sha256(text: bytes) -> bytes:
    hashed = _EMPTY.copy()  # Takes less time than a new one.
    hashed.update(text)
    return hashed.digest()


@dataclass(slots=True)
class Chain:
    """SHA-256 over the previous digest and the bytes of each accepted record, in log order."""

    digest: bytes = NOTHING
    before: bytes = NOTHING  # The digest before the last accepted record.
    last: int = 0  # The position of the last accepted record. 0: none yet.

    def accept(self, position: int, raw: bytes) -> None:
        """Add the next accepted record."""
        self.last, self.before = position, self.digest
        self.digest = _sha256(self.before + raw)

    def accept_all(self, accepted: Sequence[tuple[int, bytes]]) -> None:
        """Add the next accepted records: as `accept` of each, in less time."""
        start, digest, before = _EMPTY.copy, self.digest, self.before
        for _, raw in accepted:
            before = digest
            hashed = start()
            hashed.update(before + raw)
            digest = hashed.digest()
        if accepted:
            self.last, self.digest, self.before = accepted[-1][0], digest, before

    def ends_with(self, raw: bytes | None) -> bool:
        """Say whether these are the bytes of the last accepted record."""
        return _sha256(self.before + (raw or b"")) == self.digest

    def __str__(self) -> str:
        """Return the digest as it is shown to people and in audits."""
        return f"sha256:{self.digest.hex()}"


def reread_after(chain: Chain, position: int) -> int:
    """Return the position to resume after, so that the state's last basis is read again."""
    return max(0, min(position, chain.last) - 1)


def compare(chain: Chain, ledger: Ledger, skipped: Skipped, recorded: Recorded) -> None:
    """Compare a position that was ruled on before with the entry that stands there now.

    This covers all that a reader's state depends on: if the last accepted record is the same, so
    are all before it (its id is unique), and by the rule no entry after it counts.

    Raises:
        LogCutError: another entry stands there.

    """
    if recorded.position == chain.last and not chain.ends_with(recorded.raw):
        raise LogCutError(
            f"{recorded.where}: expected the record that was accepted there (digest {chain}),"
            f" found another: {_CUT}"
        )
    if found := skipped.get(recorded.position):  # Skipped by an operator's decision: ADR-0015.
        confirm(found, recorded)
    elif recorded.position > chain.last:
        envelope = recorded.envelope
        if isinstance(envelope, Envelope) and ledger.takes(envelope):
            raise LogCutError(
                f"{recorded.where}: expected the record that was refused there, found one that"
                f" counts: {_CUT}"
            )


async def check(
    log: EventLog,
    partition: Partition,
    position: int,
    chain: Chain,
    ledger: Ledger,
    skipped: Skipped,
    *,
    within_s: float = CHECK_S,
) -> None:
    """Read the records that a checkpoint depends on again: a few, however long the log is.

    Raises:
        LogCutError: the log was cut, and may have grown again.
        LogUnavailableError: it could not be read in time.

    """
    after = reread_after(chain, position)
    try:
        async with asyncio.timeout(within_s):
            while after < position:
                try:
                    some = await log.read(partition, after, min(BATCH_MAX, position - after))
                except LogUnavailableError as exc:
                    logger.warning("%s: waiting for the log: %s", partition, exc)
                    await asyncio.sleep(_CHECK_AGAIN_S)
                    continue
                if not some:
                    refuse_beyond(partition, position, after)
                for recorded in some:
                    compare(chain, ledger, skipped, recorded)
                after = some[-1].position
    except TimeoutError as exc:
        raise LogUnavailableError(
            f"{partition}: expected to read it within {within_s} s, found no answer"
        ) from exc
