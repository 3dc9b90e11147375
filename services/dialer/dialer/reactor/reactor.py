"""The dialer's heart: (state, ticks) → (state, effects). Pure: no clock, no log, no carrier.

The shell (`service.py`) tells it what was folded, ruled on, said by the carrier, and what time it
is; it answers what is to be done. It decides on what the fold says at that instant, and whatever
it decides on an old reading the rule refuses.
"""

from collections.abc import Iterable

from campaigns.domain.campaign import Campaign, Status
from campaigns.domain.decider import Rejected, Unchanged
from campaigns.domain.facts import CallRequested, contact_stream
from dialer.calls.call import Line, line_of
from dialer.calls.call_states import Logged, Said, Use
from dialer.calls.lease import may_begin
from dialer.calls.ticks import Effect, LookUp, Moment, Offer, Ring, Tick
from dialer.decisions.exhaustion import EXHAUST, ExhaustContact
from dialer.decisions.gates import Reading
from dialer.decisions.hours import opens_at
from dialer.decisions.request_call import REQUEST_CALL, RequestCall
from dialer.decisions.resolution import resolution
from dialer.reactor.attribution import attributed, settled_at
from dialer.reactor.intake import take
from dialer.reactor.lifecycle import CLOCK_REST_S, turn
from dialer.reactor.queue import INFINITY, Desk
from dialer.reactor.recovery import doubt_again
from dialer.reactor.state import State

TOKEN_REST_S = 0.001  # The least wait for a token: fractions of it are never quite whole.
DUE_REST_S = 0.05  # The least wait after a contact that was passed over.
CLOSED_MAX = 10_000  # Calls that never started, kept so that a late report finds them.


def react(state: State, ticks: Iterable[Tick], moment: Moment) -> list[Effect]:
    """Take ticks in, in order; say what is to be done now. Effects are to be done in order."""
    effects: list[Effect] = []
    for tick in ticks:
        take(state, tick, moment, effects)
    state.ring_alarms(moment.boot)
    doubt_again(state, moment)
    due, state.lines_due = state.lines_due, set()
    for call_id in sorted(due):  # In an order that does not depend on hashes: runs repeat.
        if line := state.lines.get(call_id):
            _advance(state, line, moment, effects)
    if state.blocked and state.room() > 0:
        state.campaigns_due |= state.blocked
        state.blocked.clear()
    campaigns, state.campaigns_due = state.campaigns_due, set()
    for campaign_id in sorted(campaigns):
        if campaign := state.campaigns.get(campaign_id):
            _ask(state, campaign, moment, effects)
            turn(state, campaign, moment, effects)
    return effects


def _advance(state: State, line: Line, moment: Moment, effects: list[Effect]) -> None:
    """Do the next thing for one call: append what the log lacks, ring, or ask the carrier."""
    campaign = state.campaigns.get(line.campaign_id)
    if line.logged is Logged.ASKED:
        _asked(state, line, moment)
        return
    if line.closed or campaign is None:
        _close(state, line)
        return
    if line.offer is not None and moment.boot < line.offered_at + state.patience(line):
        state.wake(line.offered_at + state.patience(line), line.call_id)
        return
    contact = state.book.get(campaign, line.contact_id)
    if line.spoilt and moment.boot < settled_at(line):
        state.wake(settled_at(line), line.call_id)
        return
    facts = attributed(
        state,
        line,
        moment.boot,
        lambda: resolution(
            line,
            campaign,
            contact,
            moment,
            stopping=state.stopping,
            limits=state.terms.unplaced,
        ),
    )
    if facts is None:
        return  # Tried again, at its alarm.
    if not isinstance(facts, Unchanged) and _may_resolve(state, line):
        if line.offer is not None:  # To send again is always safe: at most one can count.
            state.offers.pop(line.offer, None)
            line.offers += 1
        line.offer, line.offered_at = state.new_id(), moment.boot
        state.offers[line.offer] = line.call_id
        stream = contact_stream(line.campaign_id, line.contact_id)
        effects.append(Offer(line.offer, line.campaign_id, facts, (stream,), line.call_id))
        state.wake(moment.boot + state.patience(line), line.call_id)
    elif (
        isinstance(facts, Unchanged)
        and line.logged is Logged.PERMITTED
        and line.ours
        and line.use is Use.NONE
    ):
        line.use = Use.PLACING
        effects.append(Ring(line.call_id))
    else:
        _look(state, line, moment, effects)


def _may_resolve(state: State, line: Line) -> bool:
    """Say whether it is for this dialer to say: its own calls, and those of its partitions."""
    return line.ours or line.late.due or state.works(line.campaign_id)


def _look(state: State, line: Line, moment: Moment, effects: list[Effect]) -> None:
    if (
        line.look_at is None
        or line.looking
        or line.use is Use.PLACING
        or line.said is Said.OVER
        or (line.logged.resolved and not line.doubted)
        or not (line.ours or state.works(line.campaign_id))
    ):
        return
    if moment.boot >= line.look_at:
        line.looking = True
        effects.append(LookUp(line.call_id))
    else:
        state.wake(line.look_at, line.call_id)


def _asked(state: State, line: Line, moment: Moment) -> None:
    """Give up on a permission that was not read back within its lease: it is asked for anew."""
    assert line.sent_at is not None, "ours"
    if may_begin(line.sent_at, line.lease_s, moment.boot):
        return
    if line.use is not Use.GIVEN_UP:
        line.use = Use.GIVEN_UP
        state.asking.discard(line.call_id)
        state.window.too_late()
        desk = state.desk(line.campaign_id)
        desk.give_back(line.contact_id)
        desk.rest_until = moment.boot + line.lease_s
        state.wake(desk.rest_until, line.campaign_id)


def _close(state: State, line: Line) -> None:
    state.lines.pop(line.call_id, None)
    state.offers.pop(line.offer or "", None)
    state.placing.discard(line.call_id)
    if line.logged is not Logged.ENDED:
        state.closed[line.call_id] = line
        if len(state.closed) > CLOSED_MAX:
            state.closed.popitem(last=False)


def _ask(state: State, campaign: Campaign, moment: Moment, effects: list[Effect]) -> None:
    """Ask for as many permissions as rate, capacity, carrier and log have room for."""
    if (
        campaign.status is not Status.RUNNING
        or state.stopping
        or not state.works(campaign.campaign_id)
    ):
        return
    if (opens := opens_at(campaign, moment.now)) is not None:
        ahead_s = min((opens - moment.now).total_seconds(), CLOCK_REST_S)
        state.wake(moment.boot + ahead_s, campaign.campaign_id)
        return
    desk, settings = state.desk(campaign.campaign_id), campaign.settings
    if moment.boot < desk.rest_until:
        state.wake(desk.rest_until, campaign.campaign_id)
        return
    if (room := state.room()) <= 0:
        state.blocked.add(campaign.campaign_id)
        return
    room = min(room, settings.max_concurrent_calls - len(campaign.calls) - len(desk.asked))
    if room <= 0:
        return  # A call that ends brings us back here.
    rate = settings.calls_per_minute
    tokens = desk.bucket.left(rate, moment.now) - len(desk.asked)
    passed_over = False
    for contact in desk.candidates(campaign, state.book, moment.now, min(room, int(tokens))):
        call_id = state.new_id()
        command = RequestCall(
            call_id,
            campaign.campaign_id,
            contact.contact_id,
            moment.now,
            state.terms.lease_s,
            state.terms.carrier_timeout_s,
            state.terms.refuses_late,
            state.terms.carrier,
        )
        match REQUEST_CALL.decide(Reading(campaign, contact), command):
            case (CallRequested() as requested,) as facts:
                state.add(line := line_of(requested, sent_at=moment.boot))
                state.offers[call_id] = call_id
                state.asking.add(call_id)
                desk.asked.add(contact.contact_id)
                streams = REQUEST_CALL.streams(command)
                effects.append(Offer(call_id, campaign.campaign_id, facts, streams, None))
                state.wake(moment.boot + line.lease_s, call_id)
                tokens -= 1
            case Rejected():
                passed_over = True
                _exhaust(state, desk, Reading(campaign, contact), moment, effects)
            case other:
                raise AssertionError(f"a request is made or rejected, and not {other}")
    if passed_over:  # Called by another dialer, or gone: nothing else need ever bring us back here.
        state.wake(moment.boot + DUE_REST_S, campaign.campaign_id)
    if tokens < 1:
        next_at = desk.bucket.next_at(rate, moment.now, len(desk.asked))
        after_s = (next_at - moment.now).total_seconds()
        state.wake(moment.boot + max(after_s, TOKEN_REST_S), campaign.campaign_id)
    elif desk.due_at is not None:
        after_s = max(desk.due_at - moment.now.timestamp(), DUE_REST_S)
        state.wake(moment.boot + after_s, campaign.campaign_id)


def _exhaust(
    state: State, desk: Desk, reading: Reading, moment: Moment, effects: list[Effect]
) -> None:
    """Give up a contact whose attempts are spent because `max_attempts` was lowered."""
    campaign_id, contact_id = reading.campaign.campaign_id, reading.contact.contact_id
    if moment.boot < desk.exhausting.get(contact_id, -INFINITY) + state.terms.resend_s:
        return  # On its way.
    command = ExhaustContact(campaign_id, contact_id, moment.now)
    if isinstance(facts := EXHAUST.decide(reading, command), tuple):
        desk.exhausting[contact_id] = moment.boot
        record_id = state.new_id()
        state.offers[record_id] = campaign_id
        effects.append(Offer(record_id, campaign_id, facts, EXHAUST.streams(command), None))
