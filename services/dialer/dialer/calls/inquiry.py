"""How often a call is asked about of which the carrier says nothing that can be used. Pure.

A carrier that answers nobody is waited for. One that answers others, and of this call says nonsense
or nothing, has lost it: nobody will ever know. ADR-0019.
"""

from dialer.calls.call import Call
from dialer.calls.call_states import Logged, Lost
from dialer.calls.lease import not_found_counts_at
from dialer.calls.ticks import LookedUp
from dialer.carrier.testimony import DAY_S

DOUBTS_MAX = 8  # Some two minutes, with rests that double …
REST_S_MAX = 60.0  # … up to this. Of a carrier that does answer,
NONSENSE_REST_S_MAX = 8.0  # … up to this: some 40 s, in which others may wait for the line.
RECENT_S = 600.0  # A carrier that answered somebody no longer ago answers at all.


def unanswered(
    call: Call, tick: LookedUp, now: float, others_at: float | None, poll_s: float
) -> bool:
    """Note a look-up without an answer that can be used, and when to ask again; or give it up.

    `others_at`: when the carrier last answered at all. Says whether the call is given up, as
    unknown.
    """
    nonsense = tick.nonsense
    rest_s_max = NONSENSE_REST_S_MAX if nonsense else REST_S_MAX
    if call.silent_since is None:
        call.silent_since = tick.asked_at
    elif others_at is not None and call.silent_since < others_at and now - others_at <= RECENT_S:
        nonsense = True  # Or as good as that: others were answered meanwhile.
    call.doubts += nonsense
    call.looking = False
    call.look_at = now + min(poll_s * 2**call.doubts, rest_s_max)
    if call.doubts < DOUBTS_MAX:
        return False
    if call.logged is Logged.PERMITTED:
        assert call.folded_at is not None, "permitted calls were folded"
        counts_at = not_found_counts_at(
            call.folded_at, call.lease_s, call.carrier_timeout_s, call.lag_s or 0.0
        )
        if tick.asked_at < counts_at:
            call.look_at = counts_at
            return False
    call.look_at = None
    call.hear(Lost())
    return True


def answered(call: Call) -> None:
    """Note that the carrier has said something of a call that can be used."""
    call.silent_since, call.doubts = None, 0


def overdue(call: Call, now: float) -> bool:
    """Say whether a call must be over by now, whatever the carrier says: none lasts a day."""
    return call.folded_at is not None and now - call.folded_at > DAY_S
