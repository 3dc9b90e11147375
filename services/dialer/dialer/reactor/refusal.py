"""What follows when a record that this dialer offered is refused or is unreadable. Pure."""

from dialer.calls.call_states import Logged, Use
from dialer.calls.inputs import Clocks, Refused, Unreadable
from dialer.reactor.fault_isolation import note_failure
from dialer.reactor.state import State

LOG_REST_S = 1.0  # How long a campaign waits after the log failed to take a request.


def refused(state: State, news: Refused, clocks: Clocks) -> None:
    """Undo an offer that was refused; what is due is decided again on the present state."""
    whose = state.offers.pop(news.record_id, None)
    if isinstance(whose, int):
        queue = state.queue(whose)
        if queue.transition_id == news.record_id:
            queue.transition_id = None
            if not news.taken:
                queue.rest_until = clocks.boot + LOG_REST_S
            state.campaigns_due.add(whose)
    elif whose is not None and (call := state.calls.get(whose)):
        if call.logged is Logged.ASKED and news.record_id == call.call_id:
            queue = state.queue(call.campaign_id)
            state.asking.discard(whose)
            del state.calls[whose]
            if call.use is not Use.GIVEN_UP:  # Otherwise it was given back already.
                queue.give_back(call.contact_id)
            if not news.taken:
                queue.rest_until = clocks.boot + LOG_REST_S
            state.campaigns_due.add(call.campaign_id)
        elif call.offer == news.record_id:
            call.offer = None
            if news.taken:
                state.calls_due.add(whose)
            else:
                call.offers += 1
                call.offered_at = clocks.boot
                state.wake(clocks.boot + state.patience(call), whose)


def unreadable(state: State, news: Unreadable, clocks: Clocks) -> None:
    """Count an unreadable record as a failure of its call alone.

    Raises:
        Exception: the input's failure, if the record belongs to no call or holds nothing that a
            carrier said: that is a bug.

    """
    whose = state.offers.pop(news.record_id, None)
    call = state.calls.get(whose) if isinstance(whose, str) else None
    if call is None or call.logged is Logged.ASKED or call.undecidable:
        raise news.failure
    if call.offer == news.record_id:
        call.offer = None
        note_failure(state, call, news.failure, clocks.boot)
