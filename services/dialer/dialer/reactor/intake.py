"""What a tick changes in the state. Pure. What then is to be done, reactor.py says."""

from campaigns.domain.campaign import Status
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallEvent,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignDue,
    CampaignEvent,
    CampaignRearmed,
    CampaignUnscheduled,
    ContactExhausted,
)
from dialer.calls.call import Line, line_of, looked_up, looked_up_elsewhere, too_late
from dialer.calls.call_states import Late, Lost, Said, Use, Word
from dialer.calls.inquiry import answered, overdue, unanswered
from dialer.calls.lease import may_begin
from dialer.calls.ticks import (
    Answered,
    Effect,
    Folded,
    HangUp,
    LookedUp,
    Moment,
    NotHanded,
    Refused,
    Reported,
    Stopping,
    Tick,
    Unreadable,
    Woken,
    Working,
)
from dialer.carrier.port import Elsewhere, Ended, Rung
from dialer.carrier.testimony import ImplausibleError
from dialer.reactor.attribution import attributed
from dialer.reactor.queue import Desk
from dialer.reactor.recovery import doubt
from dialer.reactor.refusal import refused, unreadable
from dialer.reactor.state import State


def take(state: State, tick: Tick, moment: Moment, effects: list[Effect]) -> None:
    """Take one tick in; what has to be looked at then is marked as due."""
    match tick:
        case Folded():
            _folded(state, tick.fact, tick.first_folded_at, effects)
        case Refused():
            refused(state, tick, moment)
        case Unreadable():
            unreadable(state, tick, moment)
        case Answered():
            _answered(state, tick, moment, effects)
        case NotHanded():
            if line := state.lines.get(tick.call_id):
                line.use = Use.GIVEN_UP
                state.lines_due.add(line.call_id)
        case Reported():
            if line := state.lines.get(tick.call_id) or state.closed.get(tick.call_id):
                _take_word(state, line, tick.ended, moment, effects)
        case LookedUp():
            _looked_up(state, tick, moment, effects)
        case Working():
            gained, state.working = tick.partitions - state.working, tick.partitions
            for line in state.lines.values():
                if line.campaign_id % state.partitions in gained:
                    state.lines_due.add(line.call_id)
            for campaign_id in state.campaigns.by_id:
                if campaign_id % state.partitions in gained:
                    state.campaigns_due.add(campaign_id)
                    doubt(state, campaign_id, moment)
        case Stopping():
            state.stopping = True
            state.lines_due.update(state.lines)
        case Woken():
            pass


def _folded(state: State, fact: CampaignEvent, at: float, effects: list[Effect]) -> None:
    state.campaigns_due.add(fact.campaign_id)
    if isinstance(fact, CallRequested | CallStarted | CallAbandoned | CallEnded | CallLate):
        _folded_call(state, fact, at, effects)
    elif campaign := state.campaigns.get(fact.campaign_id):
        # Whatever changes who may be called: what is not at the carrier is given back at once.
        if campaign.status is not Status.RUNNING:
            state.lines_due.update(campaign.calls)
        desk = state.desk(fact.campaign_id)
        desk.due_known = False
        if not isinstance(fact, ContactExhausted):
            desk.turning = None  # It counts, or what counts now was decided before it.
        if isinstance(fact, CampaignRearmed | CampaignDue | CampaignUnscheduled):
            desk.begin_anew()
        if isinstance(fact, ContactExhausted):
            desk.exhausting.pop(fact.contact_id, None)


def _folded_call(state: State, fact: CallEvent, at: float, effects: list[Effect]) -> None:
    line = state.lines.get(fact.call_id) or state.closed.get(fact.call_id)
    desk = state.desk(fact.campaign_id)
    desk.due_known = False
    state.lines_due.add(fact.call_id)
    given_back = isinstance(fact, CallAbandoned) and fact.reason is Abandonment.NOT_PLACED
    if given_back and state.works(fact.campaign_id):
        state.doubts.note(fact.campaign_id, fact.call_id, at)
    if isinstance(fact, CallRequested):
        if campaign := state.campaigns.get(fact.campaign_id):
            desk.bucket.spend(campaign.settings.calls_per_minute, fact.requested_at)
        if line is None:
            line = state.add(line_of(fact, sent_at=None))
            line.look_at, line.watched = at, state.works(fact.campaign_id)
        elif line.ours:
            _permitted(state, line, desk, at)
        line.fold(fact)
        line.folded_at = at
    elif line is not None:
        line.offer, line.offers = None, 0
        heard, late = line.heard, line.late
        line.fold(fact)
        if isinstance(fact, CallStarted):
            line.look_at = at + (state.terms.silence_s if line.ours else 0.0)
        elif isinstance(fact, CallLate):
            line.doubted = False
        else:
            state.placing.discard(line.call_id)
            if line.late.due and not late.due and isinstance(heard, Rung):
                effects.append(HangUp(line.call_id))


def _permitted(state: State, line: Line, desk: Desk, at: float) -> None:
    desk.asked.discard(line.contact_id)
    if line.call_id in state.asking:
        state.asking.discard(line.call_id)
        state.placing.add(line.call_id)
    assert line.sent_at is not None, "ours"
    if may_begin(line.sent_at, line.lease_s, at):
        state.window.in_time()


def _answered(state: State, tick: Answered, moment: Moment, effects: list[Effect]) -> None:
    state.placing.discard(tick.call_id)
    if (line := state.lines.get(tick.call_id)) is None:
        return
    if line.use is Use.PLACING:
        line.use = Use.PLACED
    state.campaigns_due.add(line.campaign_id)
    if tick.answer is None:
        line.look_at = moment.boot  # Silence is asked about, never taken for a failure.
    elif isinstance(tick.answer, Elsewhere):
        line.hear(tick.answer)  # The one request that there ever was has not been taken.
    elif line.said in (Said.NOTHING, Said.LOST, Said.NOT_PLACED):
        state.answered_at = moment.boot
        line.look_at = moment.boot + state.terms.silence_s
        _take_word(state, line, tick.answer, moment, effects)
    state.lines_due.add(line.call_id)


def _take_word(state: State, line: Line, said: Word, moment: Moment, effects: list[Effect]) -> None:
    """Take in what the carrier said of a call; trouble with it is the call's own."""
    attributed(state, line, moment.boot, lambda: _heard(state, line, said, moment, effects))


def _heard(state: State, line: Line, said: Word, moment: Moment, effects: list[Effect]) -> None:
    line.hear(said)
    if isinstance(said, Rung | Ended) and line.late is Late.NO_RING:
        over = not line.refuses_late and too_late(
            line, said, moment.boot, clocks_agree=state.terms.clocks_agree
        )
        if line.judge(began_late=over):
            state.lines[line.call_id] = line
            state.closed.pop(line.call_id, None)
            if isinstance(said, Rung):
                effects.append(HangUp(line.call_id))
    state.lines_due.add(line.call_id)


def _looked_up(state: State, tick: LookedUp, moment: Moment, effects: list[Effect]) -> None:
    if (line := state.lines.get(tick.call_id)) is None:
        return
    if line.carrier is None or tick.carrier != line.carrier:
        attributed(state, line, moment.boot, lambda: _found(state, line, tick, moment, effects))
    elif tick.found is None:
        if unanswered(line, tick, moment.boot, state.answered_at, state.terms.recover_poll_s):
            state.cannot_decide(line, ImplausibleError("the carrier says nothing that can be used"))
    else:
        state.answered_at = moment.boot
        answered(line)
        attributed(state, line, moment.boot, lambda: _found(state, line, tick, moment, effects))
    if overdue(line, moment.boot):
        line.hear(Lost())
    line.doubted = line.doubted and line.look_at is not None
    state.lines_due.add(line.call_id)


def _found(state: State, line: Line, tick: LookedUp, moment: Moment, effects: list[Effect]) -> None:
    """Take in what a carrier says of a call that it was asked about: the one named, or another."""
    terms = state.terms
    polls = {"poll_s": terms.recover_poll_s, "silence_s": terms.silence_s}
    if line.carrier is not None and tick.carrier == line.carrier:
        said = looked_up(line, tick.found, tick.asked_at, moment.boot, lag_s=line.lag_s, **polls)
    else:
        said = looked_up_elsewhere(line, tick.found, tick.asked_at, moment.boot, **polls)
    if said is not None:
        _heard(state, line, said, moment, effects)
