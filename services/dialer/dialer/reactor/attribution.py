"""Whose trouble an exception is: deciding about one call is that call's alone. Pure. ADR-0019.

Only what reads nothing but the call, its contact, its campaign and the carrier's word is attributed
to it. A disk that fails, or a bug in what concerns everybody, ends the part.
"""

from collections.abc import Callable
from typing import TypeVar

from dialer.calls.call import Line
from dialer.calls.call_states import Logged
from dialer.calls.lease import not_found_counts_at
from dialer.reactor.state import State

T = TypeVar("T")


def attributed(state: State, line: Line, boot: float, decide: Callable[[], T]) -> T | None:
    """Return what is decided about a call; None when that raises: it is tried again, or is spoilt.

    Raises:
        Exception: it raised although all was left aside that the carrier said: nobody's alone.

    """
    try:
        return decide()
    except Exception as exc:
        if line.spoilt:
            raise
        stumble(state, line, exc, boot)
        return None


def stumble(state: State, line: Line, failure: Exception, boot: float) -> None:
    """Note that nothing could be decided, or recorded, about a call. After TRIES_MAX it is spoilt.

    A spoilt call ends as unknown, on what the log says of it alone.
    """
    line.stumbles += 1  # Each rests twice as long as the one before.
    state.cannot_decide(line, failure)
    again_at = boot + min(state.terms.resend_s * 2**line.stumbles, state.terms.resend_max_s)
    line.look_at = line.look_at or again_at
    state.wake(again_at, line.call_id)
    if line.spoilt:
        state.wake(max(boot, settled_at(line)), line.call_id)


def settled_at(line: Line) -> float:
    """Return when a spoilt call may end: a permission, when nobody can place it any more."""
    if line.logged is not Logged.PERMITTED or line.folded_at is None:
        return 0.0
    return not_found_counts_at(line.folded_at, line.lease_s, line.carrier_timeout_s, 0.0)
