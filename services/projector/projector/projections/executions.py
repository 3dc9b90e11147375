"""Projection: one row an attempt, numbered in its campaign. Pure.

An attempt is numbered at CallStarted or, if there is none, at CallEnded or CallLate.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from campaigns.domain.campaign import Campaign, OpenCall
from campaigns.domain.contact import ENDS_AS, ContactStatus
from campaigns.domain.facts import (
    AnyCallFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from projector.projections.changes import Changes, Execution

OUTCOME_UNKNOWN = "outcome unknown"  # Source: architecture "Facts".
RANG_LATE = "rang late"  # Source: architecture "strict pause" 5.
_IN_PROGRESS, _FAILED = str(ContactStatus.IN_PROGRESS), str(ContactStatus.FAILED)
_ENDS_AS = {disposition: str(status) for disposition, status in ENDS_AS.items()}


def _started(
    changes: Changes, campaign: Campaign, _: OpenCall | None, before: int, fact: CallStarted
) -> None:
    if campaign.executions == before:
        return  # It has no permission, or had started already.
    number = campaign.executions
    changes.executions[fact.campaign_id, number] = _execution(
        number, fact, _IN_PROGRESS, fact.started_at
    )


def _ended(
    changes: Changes, campaign: Campaign, call: OpenCall | None, _: int, fact: CallEnded
) -> None:
    if call is None:
        return
    number, rang_at = call.execution or campaign.executions, call.started_at or fact.ended_at
    execution = _execution(number, fact, _ENDS_AS[fact.disposition], rang_at)
    execution.ended_at, execution.duration_s = fact.ended_at, fact.duration_s
    execution.retry_at = fact.retry_at
    unknown = fact.disposition is Disposition.UNKNOWN
    execution.error = OUTCOME_UNKNOWN if unknown else fact.error
    changes.executions[fact.campaign_id, number] = execution


def _late(
    changes: Changes, campaign: Campaign, _: OpenCall | None, _before: int, fact: CallLate
) -> None:
    execution = _execution(campaign.executions, fact, _FAILED, fact.late_at)
    execution.ended_at, execution.error = fact.late_at, RANG_LATE
    changes.executions[fact.campaign_id, execution.execution_id] = execution


# How one call fact is projected, after its campaign has folded it: given its open call before that
# fold, and the number of executions before. A fact that did not change the campaign changes nothing
# here. By exact type, as `CALLS`. Any: each takes its own kind.
PROJECTIONS: Mapping[
    type[AnyCallFact], Callable[[Changes, Campaign, OpenCall | None, int, Any], None]
] = {
    CallStarted: _started,
    CallEnded: _ended,
    CallLate: _late,
}
_NO_EXECUTION = {CallRequested, CallAbandoned}  # An unused permission is no execution.
assert PROJECTIONS.keys() | _NO_EXECUTION == set(get_args(AnyCallFact)), "each kind is projected"


def began(call: OpenCall) -> Execution:
    """Return the execution of a call that has begun and not ended, as its CallStarted made it."""
    assert call.execution is not None, "it has begun"
    assert call.started_at is not None, "it has begun"
    return Execution(
        call.execution,
        call.contact_id,
        call.call_id,
        call.run,
        call.attempt,
        _IN_PROGRESS,
        call.started_at,
    )


def _execution(number: int, fact: AnyCallFact, status: str, at: datetime) -> Execution:
    return Execution(number, fact.contact_id, fact.call_id, fact.run, fact.attempt, status, at)
