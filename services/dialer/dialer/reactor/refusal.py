"""What becomes of a record of ours that the rule, the log or its own contents refuse. Pure."""

from dialer.calls.call_states import Logged, Use
from dialer.calls.ticks import Clocks, Refused, Unreadable
from dialer.reactor.attribution import stumble
from dialer.reactor.state import State

LOG_REST_S = 1.0  # How long a campaign waits when the log did not take a request.


def refused(state: State, news: Refused, clocks: Clocks) -> None:
    """Take back what was offered in vain: it is asked for anew, on what is so now."""
    whose = state.offers.pop(news.record_id, None)
    if isinstance(whose, int):
        queue = state.queue(whose)
        if queue.turning == news.record_id:
            queue.turning = None
            if not news.taken:
                queue.rest_until = clocks.boot + LOG_REST_S
            state.campaigns_due.add(whose)
    elif whose is not None and (call := state.calls.get(whose)):
        if call.logged is Logged.ASKED and news.record_id == call.call_id:
            queue = state.queue(call.campaign_id)
            state.asking.discard(whose)
            del state.calls[whose]
            if call.use is not Use.GIVEN_UP:  # Else it was given back then.
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
    """Take a record that nobody could read for its call's own trouble.

    Raises:
        Exception: the input's; it is of no call, or holds no word of a carrier: a bug of ours.

    """
    whose = state.offers.pop(news.record_id, None)
    call = state.calls.get(whose) if isinstance(whose, str) else None
    if call is None or call.logged is Logged.ASKED or call.spoilt:
        raise news.failure
    if call.offer == news.record_id:
        call.offer = None
        stumble(state, call, news.failure, clocks.boot)
