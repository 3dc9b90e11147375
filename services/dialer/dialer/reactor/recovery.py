"""What earlier lives have left to be asked about, theirs and other dialers'. Pure.

A call that its carrier did not know was given back. Should it have rung all the same, whoever heard
of it owes its CallLate, and may have died of it: so it is asked about by each process that begins
to work its partition, and again, ever more rarely, by the one that goes on working it (ADR-0018).
"""

from datetime import timedelta

from campaigns.domain.campaign import OpenCall
from dialer.calls.call import Line
from dialer.calls.call_states import Late, Logged
from dialer.calls.ticks import Moment
from dialer.reactor.state import State

DOUBTED = timedelta(hours=1)  # How long after its time a call that was given back is asked about.


def restore(state: State, moment: Moment) -> None:
    """Begin with what a checkpoint holds: every open call is an earlier life's, to be recovered."""
    for campaign in state.campaigns.by_id.values():
        for call in campaign.calls.values():
            logged = Logged.PERMITTED if call.started_at is None else Logged.STARTED
            _add(state, campaign.campaign_id, call, logged, moment)


def doubt(state: State, campaign_id: int, moment: Moment) -> None:
    """Ask about the calls of a campaign that others have given back as not placed."""
    for call in state.campaigns.by_id[campaign_id].doubted.values():
        if moment.now - call.ring_by > DOUBTED:
            continue
        state.doubts.note(campaign_id, call.call_id, moment.boot)
        if call.call_id not in state.lines and call.call_id not in state.closed:
            _add(state, campaign_id, call, Logged.UNRUNG, moment).doubted = True


def doubt_again(state: State, moment: Moment) -> None:
    """Ask again about those whose time has come: whoever heard of a ring may be dead by now."""
    for campaign_id, call_id in state.doubts.round(moment.boot):
        campaign = state.campaigns.by_id.get(campaign_id)
        call = campaign.doubted.get(call_id) if campaign else None
        if call is None or moment.now - call.ring_by > DOUBTED:
            state.doubts.drop(call_id)
        elif state.works(campaign_id) and call_id not in state.lines:
            state.closed.pop(call_id, None)
            _add(state, campaign_id, call, Logged.UNRUNG, moment).doubted = True


def _add(state: State, campaign_id: int, call: OpenCall, logged: Logged, moment: Moment) -> Line:
    line = Line(
        call.call_id,
        campaign_id,
        call.contact_id,
        call.run,
        call.attempt,
        call.lease_s,
        call.carrier_timeout_s,
        call.refuses_late,
        call.ring_by,
        logged,
        sent_at=None,
        carrier=call.carrier,
        folded_at=moment.boot,
        late=Late.IN_TIME if logged is Logged.STARTED else Late.NO_RING,
        look_at=moment.boot,
    )
    state.lines_due.add(call.call_id)
    return state.add(line)
