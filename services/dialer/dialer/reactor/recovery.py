"""What earlier lives have left to be asked about, theirs and other dialers'. Pure.

A call that its carrier did not know was given back. Should it have rung all the same, whoever heard
of it owes its CallLate, and may have died of it: so it is asked about by each process that begins
to work its partition, and again, ever more rarely, by the one that goes on working it (ADR-0018).
"""

from datetime import timedelta

from campaigns.domain.campaign import OpenCall
from dialer.calls.call import Call
from dialer.calls.call_states import Late, Logged
from dialer.calls.ticks import Clocks
from dialer.reactor.state import State

DOUBTED = timedelta(hours=1)  # How long after its time a call that was given back is asked about.


def restore(state: State, clocks: Clocks) -> None:
    """Begin with what a checkpoint holds: every open call is an earlier life's, to be recovered."""
    for campaign in state.campaigns.by_id.values():
        for open_call in campaign.calls.values():
            logged = Logged.PERMITTED if open_call.started_at is None else Logged.STARTED
            _add(state, campaign.campaign_id, open_call, logged, clocks)


def doubt(state: State, campaign_id: int, clocks: Clocks) -> None:
    """Ask about the calls of a campaign that others have given back as not placed.

    To have folded such a call is not to have heard of it: who followed the log from its beginning,
    or followed while another worked the partition, asks as well.
    """
    for open_call in state.campaigns.by_id[campaign_id].doubted.values():
        if clocks.now - open_call.ring_by > DOUBTED:
            continue
        state.doubts.note(campaign_id, open_call.call_id, clocks.boot)
        closed = state.closed.get(open_call.call_id)
        own = closed is not None and closed.ours
        if not own and open_call.call_id not in state.calls:
            state.closed.pop(open_call.call_id, None)
            _add(state, campaign_id, open_call, Logged.UNRUNG, clocks).doubted = True


def doubt_again(state: State, clocks: Clocks) -> None:
    """Ask again about those whose time has come: whoever heard of a ring may be dead by now."""
    for campaign_id, call_id in state.doubts.round(clocks.boot):
        campaign = state.campaigns.by_id.get(campaign_id)
        open_call = campaign.doubted.get(call_id) if campaign else None
        if open_call is None or clocks.now - open_call.ring_by > DOUBTED:
            state.doubts.drop(call_id)
        elif state.works(campaign_id) and call_id not in state.calls:
            state.closed.pop(call_id, None)
            _add(state, campaign_id, open_call, Logged.UNRUNG, clocks).doubted = True


def _add(
    state: State, campaign_id: int, open_call: OpenCall, logged: Logged, clocks: Clocks
) -> Call:
    call = Call(
        open_call.call_id,
        campaign_id,
        open_call.contact_id,
        open_call.run,
        open_call.attempt,
        open_call.lease_s,
        open_call.carrier_timeout_s,
        open_call.refuses_late,
        open_call.ring_by,
        logged,
        sent_at=None,
        carrier=open_call.carrier,
        folded_at=clocks.boot,
        late=Late.IN_TIME if logged is Logged.STARTED else Late.NO_RING,
        look_at=clocks.boot,
    )
    state.calls_due.add(open_call.call_id)
    return state.add(call)
