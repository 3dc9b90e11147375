"""How often a call is asked about of which the carrier says nothing that can be used. Pure.

A carrier that answers nobody is waited for. One that answers others, and of this call says nonsense
or nothing, has lost it: nobody will ever know. ADR-0019.
"""

from dialer.calls.call import Line
from dialer.calls.call_states import Logged, Lost
from dialer.calls.lease import not_found_counts_at
from dialer.calls.ticks import LookedUp
from dialer.carrier.testimony import DAY_S

DOUBTS_MAX = 8  # Some two minutes, with rests that double …
REST_S_MAX = 60.0  # … up to this. Of a carrier that does answer,
NONSENSE_REST_S_MAX = 8.0  # … up to this: some 40 s, in which others may wait for the line.
RECENT_S = 600.0  # A carrier that answered somebody no longer ago answers at all.


def unanswered(
    line: Line, tick: LookedUp, now: float, others_at: float | None, poll_s: float
) -> bool:
    """Note a look-up without an answer that can be used, and when to ask again; or give it up.

    `others_at`: when the carrier last answered at all. Says whether the call is given up, as
    unknown.
    """
    nonsense = tick.nonsense
    rest_s_max = NONSENSE_REST_S_MAX if nonsense else REST_S_MAX
    if line.silent_since is None:
        line.silent_since = tick.asked_at
    elif others_at is not None and line.silent_since < others_at and now - others_at <= RECENT_S:
        nonsense = True  # Or as good as that: others were answered meanwhile.
    line.doubts += nonsense
    line.looking = False
    line.look_at = now + min(poll_s * 2**line.doubts, rest_s_max)
    if line.doubts < DOUBTS_MAX:
        return False
    if line.logged is Logged.PERMITTED:
        assert line.folded_at is not None, "permitted calls were folded"
        counts_at = not_found_counts_at(
            line.folded_at, line.lease_s, line.carrier_timeout_s, line.lag_s or 0.0
        )
        if tick.asked_at < counts_at:
            line.look_at = counts_at
            return False
    line.look_at = None
    line.hear(Lost())
    return True


def answered(line: Line) -> None:
    """Note that the carrier has said something of a call that can be used."""
    line.silent_since, line.doubts = None, 0


def overdue(line: Line, now: float) -> bool:
    """Say whether a call must be over by now, whatever the carrier says: none lasts a day."""
    return line.folded_at is not None and now - line.folded_at > DAY_S
