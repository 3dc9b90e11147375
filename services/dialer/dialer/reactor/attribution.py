"""Whose trouble an exception is: deciding about one call is that call's alone. Pure. ADR-0019.

Only what reads nothing but the call, its contact, its campaign and the carrier's word is attributed
to it. A disk that fails, or a bug in what concerns everybody, ends the part.
"""

from collections.abc import Callable
from typing import TypeVar

from dialer.calls.call import Call
from dialer.calls.call_states import Logged
from dialer.calls.lease import not_found_counts_at
from dialer.reactor.state import State

T = TypeVar("T")


def attributed(state: State, call: Call, boot: float, decide: Callable[[], T]) -> T | None:
    """Return what is decided about a call; None when that raises: it is tried again, or is spoilt.

    Raises:
        Exception: it raised although all was left aside that the carrier said: nobody's alone.

    """
    try:
        return decide()
    except Exception as exc:
        if call.spoilt:
            raise
        stumble(state, call, exc, boot)
        return None


def stumble(state: State, call: Call, failure: Exception, boot: float) -> None:
    """Note that nothing could be decided, or recorded, about a call. After TRIES_MAX it is spoilt.

    A spoilt call ends as unknown, on what the log says of it alone.
    """
    call.stumbles += 1  # Each rests twice as long as the one before.
    state.cannot_decide(call, failure)
    again_at = boot + min(state.terms.resend_s * 2**call.stumbles, state.terms.resend_max_s)
    call.look_at = call.look_at or again_at
    state.wake(again_at, call.call_id)
    if call.spoilt:
        state.wake(max(boot, settled_at(call)), call.call_id)


def settled_at(call: Call) -> float:
    """Return when a spoilt call may end: a permission, when nobody can place it any more."""
    if call.logged is not Logged.PERMITTED or call.folded_at is None:
        return 0.0
    return not_found_counts_at(call.folded_at, call.lease_s, call.carrier_timeout_s, 0.0)
