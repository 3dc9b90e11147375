"""Changes what organizations have, directly on the log: read, decide, append, read back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, assert_never
from uuid import uuid4

from campaigns.domain.decider import Decision, Rejected, Stale, Unchanged
from campaigns.domain.facts import AnyFact
from campaigns.domain.values.stream_names import organization_stream
from campaigns.log.port import EventLog
from campaigns.process.clock import SystemClock
from campaigns.process.errors import (
    LogUnavailableError,
    OutcomeUnknownError,
    TooContendedError,
)
from campaigns.records.home import refuse_copy
from campaigns.records.installation import Installation
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import ORGANIZATIONS

CHUNK = 1_000  # Records a read.
RULING_S = 10.0  # How long to wait until a change is read back.
LOOK_S = 0.02
TRIES_MAX = 5  # Others may change the same at the same moment.

S = TypeVar("S")


class Possession(NamedTuple, Generic[S]):
    """One kind of what organizations have: an empty state, and its fold."""

    new: Callable[[], S]
    fold: Callable[[S, AnyFact, Recorded], None]  # Passes over facts of other kinds.


class OpenOrganizations(NamedTuple):
    """An open log, and who changes what organizations have on it."""

    log: EventLog
    installation: Installation
    source: str  # The verb.


class RejectedError(Exception):
    """The decider rejected the change."""


async def change(
    opened: OpenOrganizations,
    organization_id: int,
    possession: Possession[S],
    decide: Callable[[S], Decision],
) -> S:
    """Decide directly on the log; return the state afterwards.

    Raises:
        ReadOnlyError: the log is a copy, and takes no changes.
        RejectedError: the decider rejected the change.
        LogUnavailableError: nothing was recorded.
        TooContendedError: others were first, TRIES_MAX times.
        OutcomeUnknownError: the change was not read back in time.

    """
    for _ in range(TRIES_MAX):
        state, ledger, _ = await read(opened, possession)
        decision = decide(state)
        match decision:
            case Rejected():
                raise RejectedError(decision.detail)
            case Unchanged():
                return state
            case Stale():
                continue
            case tuple() as facts:
                pass
            case never:
                assert_never(never)
        refuse_copy(opened.installation, opened.log.place)
        stream, record_id = organization_stream(organization_id), uuid4().hex
        record = Record(
            record_id, SystemClock().now(), opened.source, "operator", record_id, None,
            ledger.condition([stream]), facts, level=opened.installation.level,
        )  # fmt: skip
        refusals: list[LogUnavailableError] = []
        await opened.log.append(ORGANIZATIONS, record, organization_id, refusals.append)
        state, accepted = await _ruled(opened, possession, record_id, refusals)
        if accepted:
            return state
    raise TooContendedError("others changed the same first each time: try again")


async def _ruled(
    opened: OpenOrganizations,
    possession: Possession[S],
    record_id: str,
    refusals: Sequence[LogUnavailableError],
) -> tuple[S, bool]:
    """Read until our record appears; return the state after it, and whether it was accepted.

    Raises:
        LogUnavailableError: the log did not take the record, or does not answer.
        OutcomeUnknownError: it did not appear in time.

    """
    loop = asyncio.get_running_loop()
    until, end = loop.time() + RULING_S, -1
    while loop.time() < until:
        if refusals:
            raise refusals[0]
        if (now := (await opened.log.ends([ORGANIZATIONS]))[ORGANIZATIONS]) > end:
            end = now
            state, _, ruled = await read(opened, possession)
            if record_id in ruled:
                return state, ruled[record_id]
        await asyncio.sleep(LOOK_S)
    raise OutcomeUnknownError(
        f"the change was not read back within {RULING_S} s, and may still take effect: look, and"
        " try again (an API key that was never shown: `dialgate keys list`, and revoke it)"
    )


async def read(
    opened: OpenOrganizations, possession: Possession[S]
) -> tuple[S, Ledger, dict[str, bool]]:
    """Return the state, the ledger, and for each record id whether it was accepted.

    Raises:
        LogUnavailableError: the log does not answer.

    """
    state, ledger, ruled, position = possession.new(), Ledger(), dict[str, bool](), 0
    skipped = opened.installation.skipped.get(ORGANIZATIONS, {})
    end = (await opened.log.ends([ORGANIZATIONS]))[ORGANIZATIONS]
    while position < end:
        batch = await opened.log.read(ORGANIZATIONS, position, min(CHUNK, end - position))
        for recorded in batch:
            if recorded.position in skipped or not isinstance(recorded.envelope, Envelope):
                continue
            accepted = ledger.admit(recorded.envelope)
            ruled.setdefault(recorded.envelope.id, accepted)
            if accepted:
                for fact in recorded.facts:
                    possession.fold(state, fact, recorded)
        position = batch[-1].position if batch else end
    return state, ledger, ruled
