"""How often to look up a call about which the carrier gives no usable answer. Pure.

A carrier that answers no look-up is waited for. One that answers others, but about this call says
nonsense or nothing, has lost it: its outcome is unknown. ADR-0019.
"""

from dialer.calls.call import Call
from dialer.calls.call_states import Logged, Lost
from dialer.calls.inputs import LookedUp
from dialer.calls.lease import not_found_counts_at
from dialer.carrier.validation import DAY_S

UNANSWERED_MAX = 8  # About two minutes, with rests that double …
REST_S_MAX = 60.0  # … up to this. If the carrier answers nonsense,
NONSENSE_REST_S_MAX = 8.0  # … up to this: about 40 s.
RECENT_S = 600.0  # A carrier whose last answer is older counts as not answering.


def unanswered(
    call: Call, tick: LookedUp, now: float, others_at: float | None, poll_s: float
) -> bool:
    """Note a look-up without a usable answer; set the next one, or give the call up.

    `others_at`: when the carrier last gave a usable answer. Return whether the call is given up, as
    unknown.
    """
    nonsense = tick.nonsense
    rest_s_max = NONSENSE_REST_S_MAX if nonsense else REST_S_MAX
    if call.silent_since is None:
        call.silent_since = tick.asked_at
    elif others_at is not None and call.silent_since < others_at and now - others_at <= RECENT_S:
        nonsense = True  # Others were answered meanwhile.
    call.unanswered_times += nonsense
    call.looking = False
    call.look_at = now + min(poll_s * 2**call.unanswered_times, rest_s_max)
    if call.unanswered_times < UNANSWERED_MAX:
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
    """Note that the carrier gave a usable answer about a call."""
    call.silent_since, call.unanswered_times = None, 0


def overdue(call: Call, now: float) -> bool:
    """Say whether a call must be over whatever the carrier says: no call lasts a day."""
    return call.folded_at is not None and now - call.folded_at > DAY_S
