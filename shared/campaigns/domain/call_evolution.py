"""Folds the facts about one call into its campaign's counters and open calls. Pure."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, get_args

from campaigns.domain.campaign import Campaign, OpenCall, gone, in_progress
from campaigns.domain.facts import (
    Abandonment,
    AnyCallFact,
    AnyCampaignFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    Disposition,
)
from campaigns.domain.moves import FINAL

FLOAT_MAX = sys.float_info.max
DOUBTED_MAX = (
    1_000  # The number of calls given back as not placed that are kept: as many as ring at once.
)


def evolve_call(campaign: Campaign, fact: AnyCallFact, position: int) -> int:
    """Fold one accepted fact about a call into its campaign, in place.

    Returns by how many its open permissions have changed: 1, 0 or -1.
    """
    return CALLS[type(fact)](campaign, fact, position)


def _requested(campaign: Campaign, fact: CallRequested, position: int) -> int:
    counters, first = campaign.counters, _first(campaign, fact)
    replaced = campaign.calls.get(fact.call_id)  # A foreign producer may use an id twice.
    campaign.bucket.spend(campaign.created.settings.calls_per_minute, fact.requested_at)
    campaign.calls[fact.call_id] = OpenCall(
        fact.call_id,
        fact.contact_id,
        fact.run,
        fact.attempt,
        position,
        fact.requested_at,
        fact.ring_by,
        fact.lease_s,
        fact.carrier_timeout_s,
        fact.refuses_late,
        first=first,
        carrier=fact.carrier,
    )
    campaign.tried += first
    campaign.strict = campaign.strict and fact.refuses_late
    counters.pending -= 1
    counters.in_progress += 1
    counters.untouched -= first
    return 1 if replaced is None or replaced.started_at is not None else 0


def _started(campaign: Campaign, fact: CallStarted, _: int) -> int:
    call = campaign.calls.get(fact.call_id)
    if call is None or call.started_at is not None:
        return 0
    campaign.executions += 1
    call.started_at, call.execution = fact.started_at, campaign.executions
    campaign.rang_at = max(campaign.rang_at or call.requested_at, call.requested_at)
    return -1


def _ended(campaign: Campaign, fact: CallEnded, _: int) -> int:
    call = campaign.calls.pop(fact.call_id, None)
    if call is None:
        return 0
    campaign.executions += call.execution is None
    _end(campaign, fact)
    return -1 if call.started_at is None else 0


def _abandoned(campaign: Campaign, fact: CallAbandoned, _: int) -> int:
    call = campaign.calls.pop(fact.call_id, None)
    if call is None:
        return 0
    campaign.abandoned += call.position < campaign.halted_position
    _doubt(campaign, call, fact)
    _give_back(campaign, fact, first=call.first and fact.contact_id not in campaign.late)
    return -1 if call.started_at is None else 0


def _late(campaign: Campaign, fact: CallLate, _: int) -> int:
    campaign.doubted.pop(fact.call_id, None)
    campaign.executions += 1
    campaign.late_calls += 1
    if fact.run > campaign.rearmed_run:
        _rang_late(campaign, fact)
    return 0


# By exact type: for a struct, `isinstance` and `match` cost three times as much as a look-up, and
# nearly all facts of a log are these. Any: each takes its own kind.
CALLS: Mapping[type[AnyCampaignFact], Callable[[Campaign, Any, int], int]] = {
    CallRequested: _requested,
    CallStarted: _started,
    CallEnded: _ended,
    CallAbandoned: _abandoned,
    CallLate: _late,
}
assert set(CALLS) == set(get_args(AnyCallFact)), "each kind of fact about a call is folded"


def _doubt(campaign: Campaign, call: OpenCall, fact: CallAbandoned) -> None:
    """Keep a call that its carrier did not know: if it rings all the same, that is a CallLate."""
    if fact.reason is Abandonment.NOT_PLACED:
        campaign.doubted[call.call_id] = call
        while len(campaign.doubted) > DOUBTED_MAX:
            del campaign.doubted[next(iter(campaign.doubted))]


def _first(campaign: Campaign, fact: CallRequested) -> bool:
    """Say whether this permission is the first use of a contact that was never rung."""
    return fact.attempt == 1 and not fact.tried and fact.contact_id not in campaign.late


def _rang_late(campaign: Campaign, fact: CallLate) -> None:
    open_now = in_progress(campaign, fact)
    if gone(campaign, fact.contact_id, fact.attempts - 1 + fact.tried, open_now):
        return
    if not open_now:
        first = fact.attempts == 1 and not fact.tried
        campaign.tried += first
        if campaign.status not in FINAL:
            campaign.counters.untouched -= first
            campaign.counters.pending -= fact.exhausted
            campaign.counters.failed += fact.exhausted
    campaign.late.add(fact.contact_id)


def _give_back(campaign: Campaign, fact: CallAbandoned, *, first: bool) -> None:
    counters = campaign.counters
    counters.in_progress -= 1
    campaign.tried -= first
    if campaign.status in FINAL:  # It was pending at the stop.
        counters.cancelled += 1
    elif fact.exhausted:
        counters.failed += 1
    elif first and fact.contact_id <= campaign.replaced_through:
        counters.total -= 1  # It was pending, and never attempted, when it was replaced.
    else:
        counters.pending += 1
        counters.untouched += first


def _end(campaign: Campaign, fact: CallEnded) -> None:
    counters = campaign.counters
    counters.in_progress -= 1
    campaign.ended += 1
    campaign.talk_s = min(campaign.talk_s + fact.duration_s, FLOAT_MAX)  # JSON has no infinity.
    if fact.disposition is Disposition.ANSWERED:
        campaign.answered += 1
        counters.completed += 1
    elif fact.retry_at is not None and campaign.status not in FINAL:
        counters.pending += 1
    else:
        counters.failed += 1
