"""Mechanisms of lease, carrier and recovery, taken away one at a time: the auditor must notice."""

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import campaigns.domain.contact
import dialer.calls.call
import dialer.calls.lookup_backoff
import dialer.carrier.http.carrier_clock
import dialer.carrier.validation
import dialer.carrier_requests
import dialer.decisions.resolution
import dialer.reactor.input_handlers
import dialer.reactor.reactor
from campaigns.domain.campaign import Campaign
from campaigns.domain.carrier_refusals import Unplaced
from campaigns.domain.contact import Contact
from campaigns.domain.decider import UNCHANGED
from campaigns.domain.facts import (
    Abandonment,
    AnyCallFact,
    CallAbandoned,
    CallRequested,
    CallStarted,
)
from campaigns.domain.moves import Status
from dialer.calls.call import Call
from dialer.calls.call_states import Late, Logged, Said, Use
from dialer.calls.effects import Effect, HangUp
from dialer.calls.inputs import Answered, Clocks
from dialer.carrier.port import Found, NoRing, Rung, Taken
from dialer.current_terms import CurrentTerms
from dialer.decisions.resolution import abandoned
from dialer.reactions import Reactions
from dialer.reactor.state import State
from tests.simulation.faulty_carrier import CarrierPort
from tests.simulation.removal import Swaps, mutation

# Any: what these modules have imported is swapped where they use it.
call_module: Any = dialer.calls.call
reactor_module: Any = dialer.reactor.reactor
handlers_module: Any = dialer.reactor.input_handlers

HANDED = (Use.PLACING, Use.PLACED)


# -- lease and carrier -----------------------------------------------------------------------------


@mutation
def no_lease() -> Swaps:
    """A permission may be used whenever it is read back."""
    always = lambda sent_at, lease_s, now: True  # noqa: E731
    modules = (
        reactor_module,
        dialer.decisions.resolution,
        dialer.carrier_requests,
        handlers_module,
    )
    return [(module, "may_begin", always) for module in modules]


@mutation
def ring_by_is_computed_when_placing() -> Swaps:
    """The carrier is given a deadline of now plus the lease."""
    place = CarrierPort.place

    async def later(self: CarrierPort, call: Any, ring_by: Any) -> Any:
        lease = timedelta(seconds=self.process.part._settings.lease_s)
        return await place(self, call, self.process.clock.now() + lease)

    return [(CarrierPort, "place", later)]


@mutation
def no_ring_by() -> Swaps:
    """The carrier is given no deadline to speak of."""
    place = CarrierPort.place

    async def whenever(self: CarrierPort, call: Any, ring_by: Any) -> Any:
        return await place(self, call, ring_by.replace(year=2100))

    return [(CarrierPort, "place", whenever)]


@mutation
def silence_is_taken_for_a_failure() -> Swaps:
    """A carrier that does not answer is taken to have refused."""
    answered = handlers_module._answered

    def hasty(state: State, news: Answered, clocks: Clocks, effects: list[Effect]) -> None:
        if news.answer is None:
            news = replace(news, answer=NoRing("no answer"))
        answered(state, news, clocks, effects)

    return [(handlers_module, "_answered", hasty)]


@mutation
def a_call_that_is_merely_taken_counts_as_started() -> Swaps:
    """What the carrier has only taken is recorded as ringing."""
    looked_up = handlers_module.looked_up

    def hasty(call: Call, found: Found | None, asked_at: float, now: float, **terms: Any) -> Any:
        if isinstance(found, Taken):
            found = Rung(call.ring_by)
        return looked_up(call, found, asked_at, now, **terms)

    return [(handlers_module, "looked_up", hasty)]


@mutation
def no_hanging_up() -> Swaps:
    """A late call is recorded, and left to ring."""
    perform = Reactions._perform

    def lazy(self: Reactions, effect: Effect, clocks: Clocks) -> None:
        if not isinstance(effect, HangUp):
            perform(self, effect, clocks)

    return [(Reactions, "_perform", lazy)]


@mutation
def no_word_of_late_rings() -> Swaps:
    """A late ring is not noticed when it is heard of."""
    never = lambda call, said, now: False  # noqa: E731
    return [(handlers_module, "too_late", never)]


@mutation
def anothers_CallStarted_does_not_count() -> Swaps:  # noqa: N802
    """A good call is hung up because recovery had recorded the same CallStarted."""
    folded = handlers_module._folded_call

    def proud(state: State, fact: AnyCallFact, at: float, effects: list[Effect]) -> None:
        folded(state, fact, at, effects)
        call = state.calls.get(fact.call_id)
        rang = call and call.said in (Said.RINGS, Said.OVER)
        if isinstance(fact, CallStarted) and call and call.ours and rang:
            call.late, call.logged = Late.OTHERWISE, Logged.UNRUNG
            effects.append(HangUp(fact.call_id))

    return [(handlers_module, "_folded_call", proud)]


@mutation
def another_carriers_not_found_is_believed() -> Swaps:
    """Any carrier's "not found" is believed, whichever carrier the permission names."""

    def credulous(call: Call, found: Found | None, asked_at: float, now: float, **how: Any) -> Any:
        return handlers_module.looked_up(call, found, asked_at, now, lag_s=call.lag_s, **how)

    return [(handlers_module, "looked_up_elsewhere", credulous)]


@mutation
def the_last_look_at_the_carriers_name_is_left_out() -> Swaps:
    """A permission is placed with the carrier that answers, whichever carrier it names."""
    place = dialer.carrier_requests.CarrierRequests.place

    async def blind(self: Any, order: Any, call: Call, sent_at: float) -> None:
        await place(self, order, replace(call, carrier=self._carrier.id), sent_at)

    return [(dialer.carrier_requests.CarrierRequests, "place", blind)]


@mutation
def terms_are_read_once() -> Swaps:
    """A dialer goes by the terms that its carrier had when it began."""
    return [(CurrentTerms, "differ_from", lambda self, terms: False)]


@mutation
def strict_although_clocks_differ() -> Swaps:
    """A refusal is relied on however far the carrier's clock was measured to be off."""
    known = property(lambda self: self.difference_s is not None)
    return [(dialer.carrier.http.carrier_clock.CarrierClock, "agrees", known)]


@mutation
def strict_although_nobody_knows_the_clocks() -> Swaps:
    """A comparison of the clocks is good for ever."""
    return [(dialer.carrier.http.carrier_clock, "CHECKS_MISSED_MAX", 10**9)]


@mutation
def what_a_carrier_has_been_meanwhile_is_forgotten() -> Swaps:
    """An open permission keeps what it was given, though the carrier has become weaker."""
    return [(State, "_weaken", lambda self, call: None)]


# -- recovery --------------------------------------------------------------------------------------


@mutation
def no_recovery() -> Swaps:
    """Only a process's own calls are looked after."""
    look = reactor_module._look

    def selfish(state: State, call: Call, clocks: Clocks, effects: list[Effect]) -> None:
        if call.ours:
            look(state, call, clocks, effects)

    return [(reactor_module, "_look", selfish)]


@mutation
def recovery_only_at_a_start() -> Swaps:
    """A dead dialer's permission that appears later is left alone."""
    folded = handlers_module._folded_call

    def once(state: State, fact: AnyCallFact, at: float, effects: list[Effect]) -> None:
        folded(state, fact, at, effects)
        call = state.calls.get(fact.call_id)
        if isinstance(fact, CallRequested) and call and not call.ours:
            call.look_at = None

    return [(handlers_module, "_folded_call", once)]


@mutation
def a_due_CallLate_dies_with_its_dialer() -> Swaps:  # noqa: N802
    """A dialer that starts does not look up the calls that were given back as not placed."""
    return [(handlers_module, "recheck", lambda state, campaign_id, clocks: None)]


@mutation
def nobody_ends_anothers_started_call() -> Swaps:
    """A call that has started is its dialer's alone."""
    look = reactor_module._look

    def selfish(state: State, call: Call, clocks: Clocks, effects: list[Effect]) -> None:
        if call.ours or call.logged is not Logged.STARTED:
            look(state, call, clocks, effects)

    return [(reactor_module, "_look", selfish)]


@mutation
def not_found_is_believed_at_once() -> Swaps:
    """The carrier is not asked a second time."""
    at_once = lambda folded_at, lease_s, carrier_timeout_s, lookup_lag_s: folded_at  # noqa: E731
    return [(call_module, "not_found_counts_at", at_once)]


@mutation
def recovery_waits_by_its_own_terms() -> Swaps:
    """A permission is recovered by the dialer's own settings, not by the terms it carries."""
    counts_at = call_module.not_found_counts_at

    def own(folded_at: float, lease_s: float, timeout_s: float, lag_s: float) -> float:
        return float(counts_at(folded_at, 0.6, 0.1, 0.0))

    return [(call_module, "not_found_counts_at", own)]


@mutation
def the_look_up_lag_is_not_waited_for() -> Swaps:
    """ "Not found" is believed although the carrier may not see the call yet."""
    counts_at = call_module.not_found_counts_at

    def unlagged(folded_at: float, lease_s: float, timeout_s: float, lag_s: float) -> float:
        return float(counts_at(folded_at, lease_s, timeout_s, 0.0))

    return [(call_module, "not_found_counts_at", unlagged)]


@mutation
def a_pause_abandons_what_others_may_have_placed() -> Swaps:
    """A dialer gives back permissions that it did not ask for itself."""
    resolution = reactor_module.resolution

    def rash(call: Call, campaign: Campaign, contact: Contact, clocks: Clocks, **how: Any) -> Any:
        facts = resolution(call, campaign, contact, clocks, **how)
        theirs = call.logged is Logged.PERMITTED and not call.ours and call.heard is None
        if facts == UNCHANGED and theirs and campaign.status is not Status.RUNNING:
            return (abandoned(call, campaign, contact, Abandonment.NOT_RUNNING, clocks.now),)
        return facts

    return [(reactor_module, "resolution", rash)]


@mutation
def a_pause_abandons_what_is_at_the_carrier() -> Swaps:
    """A dialer gives back its own permissions although it has handed them over."""
    resolution = reactor_module.resolution

    def rash(call: Call, campaign: Campaign, contact: Contact, clocks: Clocks, **how: Any) -> Any:
        facts = resolution(call, campaign, contact, clocks, **how)
        mine = (
            call.logged is Logged.PERMITTED
            and call.use in (Use.PLACING, Use.PLACED)
            and call.heard is None
        )
        if facts == UNCHANGED and mine and campaign.status is not Status.RUNNING:
            return (abandoned(call, campaign, contact, Abandonment.NOT_RUNNING, clocks.now),)
        return facts

    return [(reactor_module, "resolution", rash)]


# -- giving back, and sending again ----------------------------------------------------------------


@mutation
def the_number_is_not_given_back() -> Swaps:
    """An abandoned permission spends an attempt."""
    evolve = campaigns.domain.contact.evolve_contact

    def spent(contact: Contact, campaign: Campaign, fact: AnyCallFact) -> Contact:
        contact = evolve(contact, campaign, fact)
        contact.attempts += isinstance(fact, CallAbandoned)
        return contact

    modules = list(sys.modules.values())
    using = [module for module in modules if vars(module).get("evolve_contact") is evolve]
    return [(module, "evolve_contact", spent) for module in using]


@mutation
def what_is_not_read_back_is_waited_for() -> Swaps:
    """A resolution is sent once."""
    return [(State, "patience", lambda self, call: 1e9)]


@mutation
def a_request_is_waited_for_beyond_its_lease() -> Swaps:
    """A permission that does not appear is never requested again."""
    return [(reactor_module, "_asked", lambda state, call, clocks: None)]


# -- trouble ends where it began -------------------------------------------------------------------


@mutation
def an_exception_in_a_reaction_is_only_logged() -> Swaps:
    """An exception in a reaction to a timer or the carrier is logged, and the dialer goes on."""

    def woken(self: Reactions) -> None:
        with suppress(Exception):
            self.react()

    return [(Reactions, "_woken", woken)]


@mutation
def one_calls_trouble_is_everybodys() -> Swaps:
    """What is raised when one call is decided on ends the dialer."""
    at_once = lambda state, call, boot, decide: decide()  # noqa: E731
    return [(module, "isolated", at_once) for module in (reactor_module, handlers_module)]


@mutation
def the_carrier_is_believed() -> Swaps:
    """What a carrier says is taken as it is."""
    as_said = lambda said, now, **bounds: said  # noqa: E731
    return [(dialer.carrier.validation, name, as_said) for name in ("found", "placed", "ended")]


@mutation
def nonsense_is_asked_about_for_ever() -> Swaps:
    """A call about which the carrier says nothing usable never ends."""
    return [(dialer.calls.lookup_backoff, "UNANSWERED_MAX", 10**9)]


@mutation
def who_cannot_be_placed_does_not_rest() -> Swaps:
    """A contact that the carrier took no call for is asked for again at once."""
    return [(Unplaced, "rest", campaigns.domain.contact.ABANDONED_REST)]


@mutation
def who_cannot_be_placed_is_tried_for_ever() -> Swaps:
    """There is no end to the tries of a contact that cannot be placed."""
    return [(Unplaced, "over", lambda self, limits: False)]
