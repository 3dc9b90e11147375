"""Fault isolation: an exception that one call raises concerns that call alone. Pure. ADR-0019.

It covers only code that reads nothing but the call, its contact, its campaign and the carrier's
statement. A disk that fails, or a bug in what all calls share, ends the part.
"""

from collections.abc import Callable
from typing import TypeVar

from dialer.calls.call import Call
from dialer.calls.call_states import Logged
from dialer.calls.lease import not_found_counts_at
from dialer.reactor.state import State

T = TypeVar("T")


def isolated(state: State, call: Call, boot: float, decide: Callable[[], T]) -> T | None:
    """Return what is decided about a call; None: it raised, and is tried again.

    Raises:
        Exception: an undecidable call raised, so its carrier's statement is not the cause.

    """
    try:
        return decide()
    except Exception as exc:
        if call.undecidable:
            raise
        note_failure(state, call, exc, boot)
        return None


def note_failure(state: State, call: Call, failure: Exception, boot: float) -> None:
    """Note that nothing could be decided, or recorded, about a call.

    After TRIES_MAX it is undecidable: it ends as unknown, on what the log says of it alone.
    """
    call.failures += 1  # Each waits twice as long as the one before.
    state.cannot_decide(call, failure)
    again_at = boot + min(state.terms.resend_s * 2**call.failures, state.terms.resend_max_s)
    call.look_at = call.look_at or again_at
    state.wake(again_at, call.call_id)
    if call.undecidable:
        state.wake(max(boot, may_end_at(call)), call.call_id)


def may_end_at(call: Call) -> float:
    """Return when an undecidable call may end: a permission, once it can no longer be placed."""
    if call.logged is not Logged.PERMITTED or call.folded_at is None:
        return 0.0
    return not_found_counts_at(call.folded_at, call.lease_s, call.carrier_timeout_s, 0.0)
