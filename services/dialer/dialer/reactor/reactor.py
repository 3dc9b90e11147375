"""The dialer's heart: (state, inputs) → (state, effects). Pure: no clock, no log, no carrier.

The shell (`service.py`) passes in facts, rulings, the carrier's answers and the time, and performs
the effects that are returned. Decisions rest on the fold at that instant; the rule refuses those
that rest on an old reading.
"""

from collections.abc import Iterable
from datetime import timedelta

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.domain.facts import CallRequested
from campaigns.domain.moves import Status
from campaigns.domain.values.stream_names import contact_stream
from campaigns.gates.gates import first_shut
from campaigns.gates.room import Reading, room
from dialer.calls.call import Call, call_of
from dialer.calls.call_states import Logged, Said, Use
from dialer.calls.effects import Effect, LookUp, Offer, Place
from dialer.calls.inputs import Clocks, Input
from dialer.calls.lease import may_begin
from dialer.decisions.request_call import REQUEST_CALL, RequestCall
from dialer.decisions.resolution import resolution
from dialer.reactor.closures import close, close_again
from dialer.reactor.fault_isolation import isolated, may_end_at
from dialer.reactor.input_handlers import handle
from dialer.reactor.recovery import recheck_again
from dialer.reactor.state import State
from dialer.reactor.transition import CLOCK_REST_S, offer_transition

TOKEN_REST_S = 0.001  # The least wait for a token: float sums may fall short of 1.
DUE_REST_S = 0.05  # The least wait after a rejected contact, or for one that is asked for already.
PASSED_OVER = "contacts are closed that get no further attempt, or are looked at again"
REST_S = {Reason.ALL_RESTING: DUE_REST_S}
CLOSED_MAX = 10_000  # Closed calls kept so that a late report finds them.


def react(state: State, inputs: Iterable[Input], clocks: Clocks) -> list[Effect]:
    """Apply inputs in order; return the effects to perform, in order."""
    effects: list[Effect] = []
    for news in inputs:
        handle(state, news, clocks, effects)
    state.fire_alarms(clocks.boot)
    recheck_again(state, clocks)
    due, state.calls_due = state.calls_due, set()
    for call_id in sorted(due):  # Independent of hashes, so that runs repeat.
        if call := state.calls.get(call_id):
            _advance(state, call, clocks, effects)
    if state.blocked and state.room() > 0:
        state.campaigns_due |= state.blocked
        state.blocked.clear()
    campaigns, state.campaigns_due = state.campaigns_due, set()
    for campaign_id in sorted(campaigns):
        if campaign := state.campaigns.get(campaign_id):
            _ask(state, campaign, clocks, effects)
            offer_transition(state, campaign, clocks, effects)
    return effects


def _advance(state: State, call: Call, clocks: Clocks, effects: list[Effect]) -> None:
    """Do the next step for one call: append what the log lacks, place it, or look it up."""
    campaign = state.campaigns.get(call.campaign_id)
    if call.logged is Logged.ASKED:
        _asked(state, call, clocks)
        return
    if call.closed or campaign is None:
        _close(state, call)
        return
    if call.offer is not None and clocks.boot < call.offered_at + state.patience(call):
        state.wake(call.offered_at + state.patience(call), call.call_id)
        return
    contact = state.index.get(campaign, call.contact_id)
    if call.undecidable and clocks.boot < may_end_at(call):
        state.wake(may_end_at(call), call.call_id)
        return
    facts = isolated(
        state,
        call,
        clocks.boot,
        lambda: resolution(
            call,
            campaign,
            contact,
            clocks,
            stopping=state.stopping,
            limits=state.terms.unplaced,
        ),
    )
    if facts is None:
        return  # Tried again at its alarm.
    if not isinstance(facts, Unchanged) and _may_resolve(state, call):
        if call.offer is not None:  # Sending again is safe: at most one is accepted.
            state.offers.pop(call.offer, None)
            call.offers += 1
        call.offer, call.offered_at = state.new_id(), clocks.boot
        state.offers[call.offer] = call.call_id
        stream = contact_stream(call.campaign_id, call.contact_id)
        effects.append(Offer(call.offer, call.campaign_id, facts, (stream,), call.call_id))
        state.wake(clocks.boot + state.patience(call), call.call_id)
    elif (
        isinstance(facts, Unchanged)
        and call.logged is Logged.PERMITTED
        and call.ours
        and call.use is Use.NONE
    ):
        call.use = Use.PLACING
        effects.append(Place(call.call_id))
    else:
        _look(state, call, clocks, effects)


def _may_resolve(state: State, call: Call) -> bool:
    """Say whether this dialer resolves the call: it is its own, or of a partition that it works."""
    return call.ours or call.late.due or state.works(call.campaign_id)


def _look(state: State, call: Call, clocks: Clocks, effects: list[Effect]) -> None:
    if (
        call.look_at is None
        or call.looking
        or call.use is Use.PLACING
        or call.said is Said.OVER
        or (call.logged.resolved and not call.to_recheck)
        or not (call.ours or state.works(call.campaign_id))
    ):
        return
    if clocks.boot >= call.look_at:
        call.looking = True
        effects.append(LookUp(call.call_id))
    else:
        state.wake(call.look_at, call.call_id)


def _asked(state: State, call: Call, clocks: Clocks) -> None:
    """Give up a permission that was not read back within its lease; it is requested again."""
    assert call.sent_at is not None, "ours"
    if may_begin(call.sent_at, call.lease_s, clocks.boot):
        return
    if call.use is not Use.GIVEN_UP:
        call.use = Use.GIVEN_UP
        state.asking.discard(call.call_id)
        state.window.too_late()
        queue = state.queue(call.campaign_id)
        queue.give_back(call.contact_id)
        queue.rest_until = clocks.boot + call.lease_s
        state.wake(queue.rest_until, call.campaign_id)


def _close(state: State, call: Call) -> None:
    state.calls.pop(call.call_id, None)
    state.offers.pop(call.offer or "", None)
    state.placing.discard(call.call_id)
    if call.logged is not Logged.ENDED:
        state.closed[call.call_id] = call
        if len(state.closed) > CLOSED_MAX:
            state.closed.popitem(last=False)


def _ask(state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]) -> None:
    """Request as many calls as the gates let through, and note which one is shut then."""
    campaign_id = campaign.campaign_id
    own, unread = state.own(campaign_id, clocks.boot), None
    if campaign.status is Status.RUNNING and own.works:
        unread = state.unread(campaign)
    whole = Reading(campaign, None, own, unread=unread)
    close_again(state, campaign, clocks, effects)
    shut = first_shut(whole, clocks.now)
    if shut is None:
        shut = _request(state, whole, clocks, effects)
    if shut is None or campaign.status is not Status.RUNNING or not state.works(campaign_id):
        state.idle.pop(campaign_id, None)
    else:
        state.idle[campaign_id] = shut
    if shut is None:
        return
    if shut.reason is Reason.CARRIER_FULL:
        state.blocked.add(campaign_id)
    if shut.retry_at is not None:
        ahead_s = (shut.retry_at - clocks.now).total_seconds()
        after_s = max(REST_S.get(shut.reason, TOKEN_REST_S), min(ahead_s, CLOCK_REST_S))
        state.wake(clocks.boot + after_s, campaign_id)


def _request(
    state: State, whole: Reading, clocks: Clocks, effects: list[Effect]
) -> Rejected | None:
    """Request the calls of a campaign that there is room for; return why there are no more."""
    campaign = whole.campaign
    campaign_id, queue = campaign.campaign_id, state.queue(campaign.campaign_id)
    passed_over = False
    wanted = room(whole, clocks.now)
    for contact in queue.candidates(campaign, state.index, clocks.now, wanted):
        call_id = state.new_id()
        command = RequestCall(
            call_id,
            campaign_id,
            contact.contact_id,
            clocks.now,
            state.terms.lease_s,
            state.terms.carrier_timeout_s,
            state.terms.refuses_late,
            state.terms.carrier,
        )
        match REQUEST_CALL.decide(Reading(campaign, contact), command):
            case (CallRequested() as requested,) as facts:
                state.add(call := call_of(requested, sent_at=clocks.boot))
                state.offers[call_id] = call_id
                state.asking.add(call_id)
                queue.asked.add(contact.contact_id)
                streams = REQUEST_CALL.streams(command)
                effects.append(Offer(call_id, campaign_id, facts, streams, None))
                state.wake(clocks.boot + call.lease_s, call_id)
            case Rejected():
                passed_over = True
                close(state, campaign, contact, clocks, effects)
            case other:
                raise AssertionError(f"a request is made or rejected, and not {other}")
    if passed_over:  # Perhaps nothing else marks the campaign as due again.
        state.wake(clocks.boot + DUE_REST_S, campaign_id)
    own, turn = state.own(campaign_id, clocks.boot), None if passed_over else queue.turn()
    shut = first_shut(Reading(campaign, None, own, turn), clocks.now)
    if shut is None and passed_over:
        retry_at = clocks.now + timedelta(seconds=DUE_REST_S)
        return Rejected(Reason.AWAITS_DIALER, PASSED_OVER, retry_at=retry_at)
    return shut
