"""Recovery of calls that earlier processes, or other dialers, have left open. Pure.

A call that its carrier did not know was given back. If it rang all the same, the dialer that heard
of the ring owes a CallLate, and may have died of it. So each process that begins to work the
partition asks about the call, and the one that works it asks again, ever more rarely (ADR-0018).
"""

from datetime import timedelta

from campaigns.domain.campaign import OpenCall
from dialer.calls.call import Call
from dialer.calls.call_states import Late, Logged
from dialer.calls.inputs import Clocks
from dialer.reactor.state import State

RECHECKED_FOR = timedelta(
    hours=1
)  # How long after its time a call that was given back is asked about.


def restore(state: State, clocks: Clocks) -> None:
    """Recover every open call of the checkpoint: an earlier process asked for it."""
    for campaign in state.campaigns.by_id.values():
        for open_call in campaign.calls.values():
            logged = Logged.PERMITTED if open_call.started_at is None else Logged.STARTED
            _add(state, campaign.campaign_id, open_call, logged, clocks)


def recheck(state: State, campaign_id: int, clocks: Clocks) -> None:
    """Ask about the calls of a campaign that others have given back as not placed.

    A dialer that folded such a call has not necessarily asked about it: it may have followed the
    log from its beginning, or while another dialer worked the partition. So it asks as well.
    """
    for open_call in state.campaigns.by_id[campaign_id].doubted.values():
        if clocks.now - open_call.ring_by > RECHECKED_FOR:
            continue
        state.rechecks.note(campaign_id, open_call.call_id, clocks.boot)
        closed = state.closed.get(open_call.call_id)
        own = closed is not None and closed.ours
        if not own and open_call.call_id not in state.calls:
            state.closed.pop(open_call.call_id, None)
            _add(state, campaign_id, open_call, Logged.UNRUNG, clocks).to_recheck = True


def recheck_again(state: State, clocks: Clocks) -> None:
    """Ask again about calls that are due: the dialer that heard of a ring may have died."""
    for campaign_id, call_id in state.rechecks.round(clocks.boot):
        campaign = state.campaigns.by_id.get(campaign_id)
        open_call = campaign.doubted.get(call_id) if campaign else None
        if open_call is None or clocks.now - open_call.ring_by > RECHECKED_FOR:
            state.rechecks.drop(call_id)
        elif state.works(campaign_id) and call_id not in state.calls:
            state.closed.pop(call_id, None)
            _add(state, campaign_id, open_call, Logged.UNRUNG, clocks).to_recheck = True


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
