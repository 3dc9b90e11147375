"""How each input changes the state. Pure. reactor.py decides what to do then."""

from campaigns.domain.facts import (
    Abandonment,
    AnyCallFact,
    AnyCampaignFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignDue,
    CampaignErased,
    CampaignRearmed,
    CampaignUnscheduled,
    ContactErased,
    ContactExhausted,
    ContactSkipped,
)
from campaigns.domain.moves import Status
from dialer.calls.call import Call, call_of, looked_up, looked_up_elsewhere, too_late
from dialer.calls.call_states import Late, Lost, Said, Statement, Use
from dialer.calls.effects import Effect, HangUp
from dialer.calls.inputs import (
    Answered,
    Clocks,
    Folded,
    Input,
    LookedUp,
    NotHanded,
    Refused,
    Reported,
    Stopping,
    Unreadable,
    Woken,
    Working,
)
from dialer.calls.lease import may_begin
from dialer.calls.lookup_backoff import answered, overdue, unanswered
from dialer.carrier.port import Elsewhere, Ended, Rung
from dialer.carrier.validation import ImplausibleError
from dialer.reactor.fault_isolation import isolated
from dialer.reactor.queue import CampaignQueue
from dialer.reactor.recovery import recheck
from dialer.reactor.refusal import refused, unreadable
from dialer.reactor.state import State

_ERASES = (CampaignErased, ContactErased)
_CLOSES = (ContactExhausted, ContactSkipped)  # A waiting contact; it concerns no transition.


def handle(state: State, news: Input, clocks: Clocks, effects: list[Effect]) -> None:
    """Apply one input to the state, and mark the calls and campaigns that it concerns as due."""
    match news:
        case Folded():
            _folded(state, news.fact, news.first_folded_at, effects)
        case Refused():
            refused(state, news, clocks)
        case Unreadable():
            unreadable(state, news, clocks)
        case Answered():
            _answered(state, news, clocks, effects)
        case NotHanded():
            if call := state.calls.get(news.call_id):
                call.use = Use.UNREADABLE if news.unreadable else Use.GIVEN_UP
                state.calls_due.add(call.call_id)
        case Reported():
            if call := state.calls.get(news.call_id) or state.closed.get(news.call_id):
                _take_statement(state, call, news.ended, clocks, effects)
        case LookedUp():
            _looked_up(state, news, clocks, effects)
        case Working():
            gained, state.working = news.partitions - state.working, news.partitions
            for call in state.calls.values():
                if call.campaign_id % state.partitions in gained:
                    state.calls_due.add(call.call_id)
            for campaign_id in state.campaigns.by_id:
                if campaign_id % state.partitions in gained:
                    state.campaigns_due.add(campaign_id)
                    recheck(state, campaign_id, clocks)
        case Stopping():
            state.stopping = True
            state.calls_due.update(state.calls)
        case Woken():
            pass


def _folded(state: State, fact: AnyCampaignFact, at: float, effects: list[Effect]) -> None:
    state.campaigns_due.add(fact.campaign_id)
    if isinstance(fact, CallRequested | CallStarted | CallAbandoned | CallEnded | CallLate):
        _folded_call(state, fact, at, effects)
    elif campaign := state.campaigns.get(fact.campaign_id):
        # A fact may change who may be called: unused permissions are given back at once.
        if campaign.status is not Status.RUNNING or isinstance(fact, _ERASES):
            state.calls_due.update(campaign.calls)
        queue = state.queue(fact.campaign_id)
        queue.due_known = False
        if not isinstance(fact, _CLOSES):
            queue.transition_id = None  # Accepted, or decided on an old reading.
        if isinstance(fact, CampaignRearmed | CampaignDue | CampaignUnscheduled):
            queue.restart()
        if isinstance(fact, _CLOSES):
            queue.exhausting.pop(fact.contact_id, None)


def _folded_call(state: State, fact: AnyCallFact, at: float, effects: list[Effect]) -> None:
    call = state.calls.get(fact.call_id) or state.closed.get(fact.call_id)
    queue = state.queue(fact.campaign_id)
    queue.due_known = False
    state.calls_due.add(fact.call_id)
    given_back = isinstance(fact, CallAbandoned) and fact.reason is Abandonment.NOT_PLACED
    if given_back and state.works(fact.campaign_id):
        state.rechecks.note(fact.campaign_id, fact.call_id, at)
    if isinstance(fact, CallRequested):
        if call is None:
            call = state.add(call_of(fact, sent_at=None))
            call.look_at, call.watched = at, state.works(fact.campaign_id)
        elif call.ours:
            _permitted(state, call, queue, at)
        call.fold(fact)
        call.folded_at = at
    elif call is not None:
        call.offer, call.offers = None, 0
        heard, late = call.heard, call.late
        call.fold(fact)
        if isinstance(fact, CallStarted):
            call.look_at = at + (state.terms.silence_s if call.ours else 0.0)
        elif isinstance(fact, CallLate):
            call.to_recheck = False
        else:
            state.placing.discard(call.call_id)
            if call.late.due and not late.due and isinstance(heard, Rung):
                effects.append(HangUp(call.call_id))


def _permitted(state: State, call: Call, queue: CampaignQueue, at: float) -> None:
    queue.asked.discard(call.contact_id)
    if call.call_id in state.asking:
        state.asking.discard(call.call_id)
        state.placing.add(call.call_id)
    assert call.sent_at is not None, "ours"
    if may_begin(call.sent_at, call.lease_s, at):
        state.window.in_time()


def _answered(state: State, news: Answered, clocks: Clocks, effects: list[Effect]) -> None:
    state.placing.discard(news.call_id)
    if (call := state.calls.get(news.call_id)) is None:
        return
    if call.use is Use.PLACING:
        call.use = Use.PLACED
    state.campaigns_due.add(call.campaign_id)
    if news.answer is None:
        call.look_at = clocks.boot  # No answer is never a failure: the call is looked up.
    elif isinstance(news.answer, Elsewhere):
        call.hear(news.answer)  # The only request ever sent was not taken.
    elif call.said in (Said.NOTHING, Said.LOST, Said.NOT_PLACED):
        state.answered_at = clocks.boot
        call.look_at = clocks.boot + state.terms.silence_s
        _take_statement(state, call, news.answer, clocks, effects)
    state.calls_due.add(call.call_id)


def _take_statement(
    state: State, call: Call, said: Statement, clocks: Clocks, effects: list[Effect]
) -> None:
    """Apply a carrier's statement; an exception concerns this call alone."""
    isolated(state, call, clocks.boot, lambda: _heard(state, call, said, clocks, effects))


def _heard(
    state: State, call: Call, said: Statement, clocks: Clocks, effects: list[Effect]
) -> None:
    call.hear(said)
    if isinstance(said, Rung | Ended) and call.late is Late.NO_RING:
        over = not call.refuses_late and too_late(
            call, said, clocks.boot, clocks_agree=state.terms.clocks_agree
        )
        if call.judge(began_late=over):
            state.calls[call.call_id] = call
            state.closed.pop(call.call_id, None)
            if isinstance(said, Rung):
                effects.append(HangUp(call.call_id))
    state.calls_due.add(call.call_id)


def _looked_up(state: State, news: LookedUp, clocks: Clocks, effects: list[Effect]) -> None:
    if (call := state.calls.get(news.call_id)) is None:
        return
    if call.carrier is None or news.carrier != call.carrier:
        isolated(state, call, clocks.boot, lambda: _found(state, call, news, clocks, effects))
    elif news.found is None:
        if unanswered(call, news, clocks.boot, state.answered_at, state.terms.recover_poll_s):
            state.cannot_decide(call, ImplausibleError("the carrier gives no usable answer"))
    else:
        state.answered_at = clocks.boot
        answered(call)
        isolated(state, call, clocks.boot, lambda: _found(state, call, news, clocks, effects))
    if overdue(call, clocks.boot):
        call.hear(Lost())
    call.to_recheck = call.to_recheck and call.look_at is not None
    state.calls_due.add(call.call_id)


def _found(state: State, call: Call, news: LookedUp, clocks: Clocks, effects: list[Effect]) -> None:
    """Apply the answer to a look-up, from the carrier that the permission names or another one."""
    terms = state.terms
    polls = {"poll_s": terms.recover_poll_s, "silence_s": terms.silence_s}
    if call.carrier is not None and news.carrier == call.carrier:
        said = looked_up(call, news.found, news.asked_at, clocks.boot, lag_s=call.lag_s, **polls)
    else:
        said = looked_up_elsewhere(call, news.found, news.asked_at, clocks.boot, **polls)
    if said is not None:
        _heard(state, call, said, clocks, effects)
