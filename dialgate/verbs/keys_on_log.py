"""Changes API keys directly on the log: read, decide, append, wait for the ruling."""

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never
from uuid import uuid4

from campaigns.domain.api_keys import ApiKeys
from campaigns.domain.decider import Decision, Rejected, Stale, Unchanged
from campaigns.domain.facts import ApiKeyCreated, ApiKeyRevoked
from campaigns.domain.values.stream_names import organization_stream
from campaigns.log.installation_log import founded
from campaigns.log.port import EventLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import (
    LogUnavailableError,
    OutcomeUnknownError,
    TooContendedError,
)
from campaigns.records.installation import Installation
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import ORGANIZATIONS
from dialgate.logs import make_log
from dialgate.settings import ProcessSettings

CHUNK = 1_000  # Records a read.
RULING_S = 10.0  # How long to wait until a change is read back.
LOOK_S = 0.02
TRIES_MAX = 5  # Others may change keys at the same moment.

Deciding = Callable[[ApiKeys], Decision]


class RejectedError(Exception):
    """The decider rejected the change."""


async def change(settings: ProcessSettings, organization_id: int, decide: Deciding) -> ApiKeys:
    """Decide directly on the log; return the keys afterwards.

    Raises:
        RejectedError: the decider rejected the change.
        LogUnavailableError: nothing was recorded.
        TooContendedError: others changed keys first, TRIES_MAX times.
        OutcomeUnknownError: the change was not read back in time.

    """
    log = make_log(settings, exclusive=False)
    await log.open()
    try:
        installation = await founded(log, SystemClock(), "dialgate keys")
        for _ in range(TRIES_MAX):
            keys, ledger, _ = await _read(log, installation)
            decision = decide(keys)
            match decision:
                case Rejected():
                    raise RejectedError(decision.detail)
                case Unchanged():
                    return keys
                case Stale():
                    continue
                case tuple() as facts:
                    pass
                case never:
                    assert_never(never)
            stream, record_id = organization_stream(organization_id), uuid4().hex
            record = Record(
                record_id, SystemClock().now(), "dialgate keys", "operator", record_id, None,
                ledger.condition([stream]), facts, level=installation.level,
            )  # fmt: skip
            refusals: list[LogUnavailableError] = []
            await log.append(ORGANIZATIONS, record, organization_id, refusals.append)
            keys, accepted = await _ruled(log, installation, record_id, refusals)
            if accepted:
                return keys
        raise TooContendedError("others changed keys first each time: try again")
    finally:
        await log.close()


async def _ruled(
    log: EventLog,
    installation: Installation,
    record_id: str,
    refusals: Sequence[LogUnavailableError],
) -> tuple[ApiKeys, bool]:
    """Read until our record appears; return the keys after it, and whether it was accepted.

    Raises:
        LogUnavailableError: the log did not take the record, or does not answer.
        OutcomeUnknownError: it did not appear in time.

    """
    loop = asyncio.get_running_loop()
    until, end = loop.time() + RULING_S, -1
    while loop.time() < until:
        if refusals:
            raise refusals[0]
        if (now := (await log.ends([ORGANIZATIONS]))[ORGANIZATIONS]) > end:
            end = now
            keys, _, ruled = await _read(log, installation)
            if record_id in ruled:
                return keys, ruled[record_id]
        await asyncio.sleep(LOOK_S)
    raise OutcomeUnknownError(
        f"the change was not read back within {RULING_S} s, and may still take effect: check with"
        " `dialgate keys list`, and revoke a key that was never shown"
    )


async def _read(
    log: EventLog, installation: Installation
) -> tuple[ApiKeys, Ledger, dict[str, bool]]:
    """Return the keys, the ledger, and for each record id whether it was accepted."""
    keys, ledger, ruled, position = ApiKeys(), Ledger(), dict[str, bool](), 0
    skipped = installation.skipped.get(ORGANIZATIONS, {})
    end = (await log.ends([ORGANIZATIONS]))[ORGANIZATIONS]
    while position < end:
        batch = await log.read(ORGANIZATIONS, position, min(CHUNK, end - position))
        for recorded in batch:
            if recorded.position in skipped or not isinstance(recorded.envelope, Envelope):
                continue
            accepted = ledger.admit(recorded.envelope)
            ruled.setdefault(recorded.envelope.id, accepted)
            if accepted:
                for fact in recorded.facts:
                    if isinstance(fact, ApiKeyCreated | ApiKeyRevoked):
                        keys.fold(fact)
        position = batch[-1].position if batch else end
    return keys, ledger, ruled
