"""A dialer heard of a late ring and died: the dialer that recovers the call records it."""

from datetime import timedelta

import pytest

from campaigns.domain.call_evolution import DOUBTED_MAX
from campaigns.domain.campaign import dump, load
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignFact,
    Disposition,
)
from campaigns.stores.fold import fold_contacts
from dialer.calls.effects import HangUp, LookUp, Offer
from dialer.calls.inputs import Answered, Folded, LookedUp, Reported, Woken, Working
from dialer.calls.rechecks import REST_S, ROUND_CALLS_MAX, ROUND_S, Rechecks
from dialer.carrier.port import Ended, Found, NoRing, NotFound, RefusedLate, Rung
from dialer.reactor.recovery import RECHECKED_FOR
from tests.unit.dialer.rig import CARRIER_TIMEOUT_S, LEASE_S, POLL_S, Rig, looks

OVER_S = LEASE_S + CARRIER_TIMEOUT_S
HERE = frozenset({0})


def given_back(rig: Rig) -> CallRequested:
    """Bring a call to where its carrier did not know it, and it was given back."""
    call = rig.permitted()
    rig.react(Answered(call.call_id, None))
    rig.passes(OVER_S)
    rig.after(0)
    (offer,) = rig.react(LookedUp(call.call_id, rig.boot, NotFound(), "ours"))
    assert isinstance(offer, Offer)
    (fact,) = offer.facts
    assert isinstance(fact, CallAbandoned)
    assert fact.reason is Abandonment.NOT_PLACED
    rig.accept(offer)
    return call


def restarted(rig: Rig) -> list[str]:
    """Begin another life; return which calls it asks about."""
    rig.restarted()
    return looks(rig.react(Working(HERE)))


def asked_again(
    rig: Rig, call_id: str, found: Found, *, until_s: float = RECHECKED_FOR.total_seconds()
) -> list[float]:
    """Let time pass; return after how many seconds the call was asked about, each time in vain."""
    began, asked = rig.boot, list[float]()
    while (at := rig.state.wake_at()) is not None and at <= began + until_s:
        rig.passes(at - rig.boot)
        if call_id in looks(rig.react(Woken())):
            asked.append(round(rig.boot - began, -1))
            rig.react(LookedUp(call_id, rig.boot, found, "ours"))
    return asked


@pytest.mark.parametrize("ended", [False, True])
def test_a_ring_heard_of_by_a_dialer_that_died_is_told_by_the_next(ended: bool) -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    rung = Rung(rig.now)
    found: Found = Ended(rig.now, rig.now, Disposition.BUSY, 0.0) if ended else rung
    report = Reported(call.call_id, Ended(rig.now, rig.now, Disposition.BUSY, 0.0))
    first = rig.react(report)  # It rang after all: CallLate is due …
    assert [type(fact) for e in first if isinstance(e, Offer) for fact in e.facts] == [CallLate]
    assert restarted(rig) == [call.call_id]  # … and never gets into the log.
    effects = rig.react(LookedUp(call.call_id, rig.boot, found, "ours"))
    assert (HangUp(call.call_id) in effects) is not ended
    (offer,) = [effect for effect in effects if isinstance(effect, Offer)]
    (late,) = offer.facts
    assert isinstance(late, CallLate)
    rig.accept(offer)
    assert call.call_id not in rig.state.calls
    assert call.call_id not in restarted(rig)  # It is recorded: no further look-up.


@pytest.mark.parametrize("found", [NotFound(), RefusedLate(), NoRing("never heard of it")])
def test_what_did_not_ring_is_asked_about_ever_more_rarely_and_nothing_is_told(
    found: Found,
) -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    assert restarted(rig) == [call.call_id]
    effects = rig.react(LookedUp(call.call_id, rig.boot, found, "ours"))
    assert not [e for e in effects if isinstance(e, HangUp)]
    assert call.call_id not in rig.state.calls
    assert asked_again(rig, call.call_id, found) == [60.0, 180.0, 420.0, 900.0, 1860.0]


def test_a_dialer_that_stays_asks_again_about_what_it_gave_back_itself() -> None:
    """No dialer restarts, so nothing is gained: another dialer heard of the ring."""
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    asked = asked_again(rig, call.call_id, NotFound(), until_s=600)
    assert asked == [60.0, 180.0, 420.0]
    again = call.call_id
    assert again in looks(rig.after(480))  # It rings by now, and who heard of it has died.
    effects = rig.react(LookedUp(again, rig.boot, Rung(rig.now), "ours"))
    assert HangUp(call.call_id) in effects
    (offer,) = [effect for effect in effects if isinstance(effect, Offer)]
    assert isinstance(offer.facts[0], CallLate)
    rig.accept(offer)
    assert again not in rig.state.calls
    assert again not in looks(rig.after(3600)), "it is told"


def test_what_others_gave_back_while_it_worked_is_asked_about_too() -> None:
    rig = Rig(refuses_late=False)
    rig.running()
    call_id = rig.ask(1)
    rig.abandon(call_id, 1, reason=Abandonment.NOT_PLACED)
    rig.react()
    assert asked_again(rig, call_id, NotFound(), until_s=200) == [60.0, 180.0]


def test_a_partition_that_is_anothers_is_asked_about_by_that_one() -> None:
    rig = Rig(refuses_late=False)
    given_back(rig)
    rig.react(Working(frozenset()))
    assert not looks(rig.after(300))
    rig.react(Working(HERE))
    assert looks(rig.after(300)), "does happen"


def test_how_many_are_asked_about_at_once_is_bounded() -> None:
    rechecks = Rechecks()
    for number in range(2 * ROUND_CALLS_MAX + 1):
        rechecks.note(1, str(number), 0.0)
    assert not rechecks.round(REST_S - 0.1)
    rounds = [rechecks.round(REST_S + n * ROUND_S) for n in range(4)]
    assert [len(calls) for calls in rounds] == [ROUND_CALLS_MAX, ROUND_CALLS_MAX, 1, 0]
    assert len({call for calls in rounds for call in calls}) == 2 * ROUND_CALLS_MAX + 1


def test_a_carrier_that_does_not_answer_is_asked_until_it_does() -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    assert restarted(rig) == [call.call_id]
    rig.react(LookedUp(call.call_id, rig.boot, None, "ours"))
    assert LookUp(call.call_id) in rig.after(2 * POLL_S)


def test_who_takes_a_partition_over_asks_too_and_who_has_it_knows() -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    rig.react(Working(frozenset()))
    assert LookUp(call.call_id) not in rig.react(Working(HERE))  # It has asked itself.
    rig.restarted()
    assert not looks(rig.react(Working(frozenset())))
    assert looks(rig.react(Working(HERE))) == [call.call_id]


def refolded(rig: Rig) -> None:
    """Begin another life that has no checkpoint: it folds all there was, and works nothing yet."""
    records = list(rig.records)
    rig.begin()
    for recorded in records:
        fold_contacts(rig.campaigns, rig.contacts, recorded)
        rig.react(*(Folded(f, rig.boot) for f in recorded.facts if isinstance(f, CampaignFact)))


def test_who_has_no_checkpoint_has_folded_the_abandonment_itself_and_asks_all_the_same() -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    refolded(rig)
    assert call.call_id in rig.state.closed, "it has seen all of it go by"
    effects = rig.react(Working(HERE))
    assert looks(effects) == [call.call_id]
    effects = rig.react(LookedUp(call.call_id, rig.boot, Rung(rig.now), "ours"))
    assert HangUp(call.call_id) in effects
    assert [type(fact) for e in effects if isinstance(e, Offer) for fact in e.facts] == [CallLate]


def test_who_followed_while_another_worked_asks_each_time_it_takes_over() -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    refolded(rig)
    for _ in range(2):  # Meanwhile another dialer may have heard of it, and died.
        assert looks(rig.react(Working(HERE))) == [call.call_id]
        rig.react(LookedUp(call.call_id, rig.boot, NotFound(), "ours"))
        rig.react(Working(frozenset()))


def test_it_is_asked_about_for_an_hour_and_kept_in_a_checkpoint_up_to_a_number() -> None:
    rig = Rig(refuses_late=False)
    call = given_back(rig)
    campaign = rig.campaigns.by_id[1]
    assert list(load(dump(campaign), 1).doubted) == [call.call_id]
    assert campaign.settings.max_concurrent_calls <= DOUBTED_MAX
    rig.passes(RECHECKED_FOR.total_seconds() + 60)
    assert call.call_id not in restarted(rig)


def test_other_ends_leave_no_doubt() -> None:
    """What was never handed over, or ended as one that may have rung, owes nothing."""
    rig = Rig(lookup_lag_s=None)
    call = rig.permitted()
    rig.react(Answered(call.call_id, None))
    rig.passes(OVER_S)
    rig.after(0)
    (offer,) = rig.react(LookedUp(call.call_id, rig.boot, NotFound(), "ours"))
    assert isinstance(offer, Offer)
    assert isinstance(offer.facts[0], CallEnded)
    rig.accept(offer)
    assert not rig.campaigns.by_id[1].doubted


@pytest.mark.parametrize("agree", [True, False])
def test_a_ring_that_began_too_late_is_judged_by_who_recovers_it(agree: bool) -> None:
    """Its dialer heard of it and died before anything stood in the log: the permission is open.

    Who recovers it was not there. The carrier's instant says it, where clocks agree.
    """
    rig = Rig(refuses_late=False, clocks_agree=agree)
    call = rig.permitted()
    rig.passes(OVER_S + 1.0)
    began_at = rig.now
    assert HangUp(call.call_id) in rig.react(Answered(call.call_id, Rung(began_at)))
    assert restarted(rig) == [call.call_id]
    effects = rig.react(LookedUp(call.call_id, rig.boot, Rung(began_at), "ours"))
    (offer,) = [effect for effect in effects if isinstance(effect, Offer)]
    kinds = [type(fact) for fact in offer.facts]
    assert kinds == ([CallAbandoned, CallLate] if agree else [CallStarted])
    assert (HangUp(call.call_id) in effects) is agree


def test_two_late_rings_of_one_contact_spend_its_last_attempt_once() -> None:
    """The first was given back and told while the second's permission was open (seed 1883)."""
    rig = Rig(refuses_late=False, max_attempts=1)
    first = given_back(rig)
    asked = next(e for _ in range(600) for e in rig.after(0.1) if isinstance(e, Offer))
    (second,) = asked.facts
    assert isinstance(second, CallRequested)
    rig.accept(asked)
    late_at = rig.now + timedelta(seconds=OVER_S + 1)
    ended = Ended(rig.now, rig.now, Disposition.BUSY, 0.0)
    (told,) = [e for e in rig.react(Reported(first.call_id, ended)) if isinstance(e, Offer)]
    rig.accept(told)
    rig.passes(OVER_S + 2)
    heard = Answered(second.call_id, Rung(late_at))
    (offer,) = [effect for effect in rig.react(heard) if isinstance(effect, Offer)]
    abandoned, late = offer.facts
    assert isinstance(abandoned, CallAbandoned)
    assert isinstance(late, CallLate)
    assert (abandoned.exhausted, late.exhausted) == (True, False)
    rig.accept(offer)
    counters = rig.campaigns.by_id[1].counters
    assert (counters.pending, counters.in_progress, counters.failed) == (0, 0, 1)
