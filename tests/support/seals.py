"""Seals as tests make them, over any log; and logs that were tampered with."""

from collections.abc import Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from campaigns.audit.seal.seal_check import SealCheck, SealDifference
from campaigns.audit.seal.seal_file import Sealing
from campaigns.audit.seal.seal_format import Seals
from campaigns.domain.facts import CampaignPaused
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog, ReadableLog
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.testing.sample_records import NOON, offered

FIRST = Partition(CAMPAIGN_RECORDS, 0)
RECORDS = 2_500  # More than two blocks.


@cache
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@cache
def raws(count: int = RECORDS) -> tuple[bytes, ...]:
    """Return the records of one campaign that is paused again and again; some foreign bytes."""
    found = list[bytes]()
    for number in range(count):
        fact = CampaignPaused(campaign_id=1, reason=f"{number}", paused_at=NOON)
        version = number - number // 100
        found.append(
            b"foreign %d" % number
            if number % 100 == 99
            else offered(fact, condition_version=version).encode()
        )
    return tuple(found)


def log_of(some: Sequence[bytes]) -> MemoryLog:
    log = MemoryLog()
    for raw in some:
        log.append_bytes(FIRST, raw)
    return log


async def sealed(log: ReadableLog, lines: Sequence[bytes] = ()) -> list[bytes]:
    """Return the lines of a file of seals, with one more over this log."""
    found = await Sealing(log, await whole(log), seals_of(lines), key()).seal(NOON)
    assert not isinstance(found, SealDifference), found
    return [*lines, found[0]]


_WHOLE = list[bytes]()


async def whole_sealed() -> list[bytes]:
    """Return the one seal over all of `raws`: made once, since many tests begin with it."""
    if not _WHOLE:
        _WHOLE.extend(await sealed(log_of(raws())))
    return list(_WHOLE)


def seals_of(lines: Sequence[bytes]) -> Seals:
    seals = Seals(key().public_key())
    for number, line in enumerate(lines, 1):
        seals.add(line, f"line {number}")
    return seals


async def differences(log: ReadableLog, lines: Sequence[bytes]) -> list[tuple[str, str]]:
    """Return where a log differs from its seals."""
    found = await SealCheck(log, await whole(log), seals_of(lines)).differences()
    return [(one.at, one.what) for one in found]
