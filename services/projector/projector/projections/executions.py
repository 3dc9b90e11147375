"""Projection: one row an attempt, numbered in its campaign. Pure.

An attempt is numbered at CallStarted or, if there is none, at CallEnded or CallLate.
"""

from datetime import datetime
from typing import assert_never

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


def project(
    changes: Changes, campaign: Campaign, call: OpenCall | None, before: int, fact: AnyCallFact
) -> None:
    """Project one call fact. `campaign` has folded it already.

    `call` is the open call of the fact before that fold, and `before` the number of executions.
    A fact that did not change the campaign changes nothing here.
    """
    match fact:
        case CallStarted():
            if campaign.executions == before:
                return  # It has no permission, or had started already.
            execution = _execution(
                campaign.executions, fact, ContactStatus.IN_PROGRESS, fact.started_at
            )
        case CallEnded():
            if call is None:
                return
            number = call.execution or campaign.executions
            rang_at = call.started_at or fact.ended_at
            execution = _execution(number, fact, ENDS_AS[fact.disposition], rang_at)
            execution.ended_at, execution.duration_s = fact.ended_at, fact.duration_s
            execution.retry_at = fact.retry_at
            unknown = fact.disposition is Disposition.UNKNOWN
            execution.error = OUTCOME_UNKNOWN if unknown else fact.error
        case CallLate():
            execution = _execution(campaign.executions, fact, ContactStatus.FAILED, fact.late_at)
            execution.ended_at, execution.error = fact.late_at, RANG_LATE
        case CallRequested() | CallAbandoned():
            return  # An unused permission is no execution.
        case unreachable:
            assert_never(unreachable)
    changes.executions[fact.campaign_id, execution.execution_id] = execution


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
        str(ContactStatus.IN_PROGRESS),
        call.started_at,
    )


def _execution(number: int, fact: AnyCallFact, status: ContactStatus, at: datetime) -> Execution:
    return Execution(number, fact.contact_id, fact.call_id, fact.run, fact.attempt, str(status), at)
