"""What becomes of a record of ours that the rule, the log or its own contents refuse. Pure."""

from dialer.calls.call_states import Logged, Use
from dialer.calls.ticks import Moment, Refused, Unreadable
from dialer.reactor.attribution import stumble
from dialer.reactor.state import State

LOG_REST_S = 1.0  # How long a campaign waits when the log did not take a request.


def refused(state: State, tick: Refused, moment: Moment) -> None:
    """Take back what was offered in vain: it is asked for anew, on what is so now."""
    whose = state.offers.pop(tick.record_id, None)
    if isinstance(whose, int):
        desk = state.desk(whose)
        if desk.turning == tick.record_id:
            desk.turning = None
            if not tick.taken:
                desk.rest_until = moment.boot + LOG_REST_S
            state.campaigns_due.add(whose)
    elif whose is not None and (line := state.lines.get(whose)):
        if line.logged is Logged.ASKED and tick.record_id == line.call_id:
            desk = state.desk(line.campaign_id)
            state.asking.discard(whose)
            del state.lines[whose]
            if line.use is not Use.GIVEN_UP:  # Else it was given back then.
                desk.give_back(line.contact_id)
            if not tick.taken:
                desk.rest_until = moment.boot + LOG_REST_S
            state.campaigns_due.add(line.campaign_id)
        elif line.offer == tick.record_id:
            line.offer = None
            if tick.taken:
                state.lines_due.add(whose)
            else:
                line.offers += 1
                line.offered_at = moment.boot
                state.wake(moment.boot + state.patience(line), whose)


def unreadable(state: State, tick: Unreadable, moment: Moment) -> None:
    """Take a record that nobody could read for its call's own trouble.

    Raises:
        Exception: the tick's; it is of no call, or says nothing that a carrier said: a bug of ours.

    """
    whose = state.offers.pop(tick.record_id, None)
    line = state.lines.get(whose) if isinstance(whose, str) else None
    if line is None or line.logged is Logged.ASKED or line.spoilt:
        raise tick.failure
    if line.offer == tick.record_id:
        line.offer = None
        stumble(state, line, tick.failure, moment.boot)
