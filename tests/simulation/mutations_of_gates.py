"""Gates that lie, and a reactor that does not ask them: the observer of reasons must notice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import campaigns.gates.gates
import dialer.reactor.reactor
from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact
from campaigns.domain.decider import Reason, Rejected
from campaigns.gates.gates import GATES, line_free, not_erased, rate_left, rested
from campaigns.gates.room import Reading
from dialer.calls.effects import Effect
from dialer.calls.inputs import Clocks
from dialer.reactor.queue import CampaignQueue
from dialer.reactor.state import State
from tests.simulation.removal import Swaps, mutation

# Any: what these have is swapped.
gates_module: Any = campaigns.gates.gates
reactor_module: Any = dialer.reactor.reactor


def _instead(of: Any, other: Any) -> Swaps:
    """Put another gate in the place of one of the list."""
    return [(gates_module, "GATES", tuple(other if gate is of else gate for gate in GATES))]


@mutation
def a_gate_names_the_wrong_instant() -> Swaps:
    """A resting contact is said to be due a second later than it is."""

    def late(reading: Reading, now: datetime) -> Rejected | None:
        no = rested(reading, now)
        if no is None or no.retry_at is None:
            return no
        return Rejected(no.reason, no.detail, no.retry_at + timedelta(seconds=1))

    return _instead(rested, late)


@mutation
def a_gate_is_shut_although_it_is_open() -> Swaps:
    """At one instant of ten the rate is said to be spent, whatever the bucket holds."""

    def shut(reading: Reading, now: datetime) -> Rejected | None:
        no = rate_left(reading, now)
        if no is None and now.microsecond % 10 == 0:
            return Rejected(Reason.RATE, "a lie", now + timedelta(microseconds=1))
        return no

    return _instead(rate_left, shut)


@mutation
def the_reactor_takes_one_more_than_there_is_room() -> Swaps:
    """A dialer asks for one contact more than the gates leave room for."""
    room = reactor_module.room

    def roomy(reading: Reading, now: datetime) -> int:
        return int(room(reading, now)) + 1

    return [(reactor_module, "room", roomy)]


@mutation
def the_queue_forgets_whose_turn_it_is() -> Swaps:
    """A dialer passes over the first contact in turn when there are others."""
    candidates = CampaignQueue.candidates

    def unjust(
        self: CampaignQueue, campaign: Campaign, index: Any, now: datetime, wanted: int
    ) -> Iterator[Contact]:
        found = list(candidates(self, campaign, index, now, wanted))
        yield from found[1:] or found

    return [(CampaignQueue, "candidates", unjust)]


@mutation
def an_idle_campaign_gives_no_reason() -> Swaps:
    """A dialer does not note which gate is shut."""
    ask = reactor_module._ask

    def silent(state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]) -> None:
        ask(state, campaign, clocks, effects)
        state.idle.pop(campaign.campaign_id, None)

    return [(reactor_module, "_ask", silent)]


@mutation
def the_reactor_asks_other_gates() -> Swaps:
    """A dialer does not ask whether lines are free, although `why` says so."""
    first_shut = reactor_module.first_shut
    others = tuple(gate for gate in GATES if gate is not line_free)

    def blind(reading: Reading, now: datetime) -> Rejected | None:
        if reading.contact is None:
            return next((no for gate in others if (no := gate(reading, now))), None)
        found: Rejected | None = first_shut(reading, now)
        return found

    return [(reactor_module, "first_shut", blind), (reactor_module, "room", lambda *_: 1)]


@mutation
def the_dialer_does_not_always_ask_who_is_erased() -> Swaps:
    """Every other time, a dialer does not ask whether somebody is forgotten."""

    def blind(reading: Reading, now: datetime) -> Rejected | None:
        return not_erased(reading, now) if now.microsecond % 2 else None

    return _instead(not_erased, blind)
