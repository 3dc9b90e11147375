"""The reactor when log, carrier or another dialer misbehave, by example."""

import pytest

from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    Disposition,
)
from dialer.calls.effects import HangUp, LookUp, Offer, Place
from dialer.calls.inputs import Answered, LookedUp, Reported, Woken, Working
from dialer.carrier.port import Ended, Found, NoRing, NotFound, RefusedLate, Rung, Taken
from dialer.reactor.refusal import LOG_REST_S
from tests.unit.dialer.rig import (
    CARRIER_TIMEOUT_S,
    LEASE_S,
    POLL_S,
    RESEND_MAX_S,
    RESEND_S,
    SILENCE_S,
    Rig,
    looks,
    offered,
    offers,
    requests,
)

OVER_S = LEASE_S + CARRIER_TIMEOUT_S


def strangers_call(rig: Rig) -> str:
    """Let another dialer ask for contact 1; this one folds it, and asks the carrier at once."""
    rig.create(contacts=1)
    rig.start()
    call_id = rig.ask(1)
    assert looks(rig.react(Working(frozenset({0})))) == [call_id]
    return call_id


def answer(rig: Rig, call_id: str, found: Found | None) -> list[object]:
    """Answer a look-up that was asked now."""
    return list(rig.react(LookedUp(call_id, rig.boot, found, "ours")))


# -- permissions that are refused, late, or not taken -------------------------------


def test_a_refused_request_is_decided_again() -> None:
    rig = Rig()
    (offer,) = rig.running()
    (again,) = requests(rig.refuse(offer))
    assert again.record_id != offer.record_id
    assert rig.accept(again) == [Place(again.record_id)]


def test_a_request_that_the_log_did_not_take_rests() -> None:
    rig = Rig()
    (offer,) = rig.running()
    assert rig.refuse(offer, taken=False) == []
    assert rig.after(LOG_REST_S * 0.9) == []
    assert len(requests(rig.after(LOG_REST_S * 0.2))) == 1


def test_a_request_that_is_not_read_back_within_its_lease_is_requested_again() -> None:
    rig = Rig()
    (offer,) = rig.running()
    assert rig.after(LEASE_S * 0.99) == []
    (again,) = requests(rig.after(LEASE_S + 0.1))
    (fact,) = again.facts
    assert isinstance(fact, CallRequested)
    assert (fact.contact_id, fact.attempt) == (1, 1)
    first, *_ = rig.accept(offer)  # It appears after all, and was first: the other is refused.
    assert isinstance(first, Offer)
    assert offered([first], CallAbandoned).reason is Abandonment.LEASE_OVER
    assert not [effect for effect in rig.refuse(again) if isinstance(effect, Place)]


def test_fewer_are_asked_for_at_once_while_they_come_back_too_late() -> None:
    rig = Rig(asking_max=8, max_concurrent_calls=100)
    assert len(rig.running(contacts=50)) == 8
    assert len(requests(rig.after(LEASE_S * 2 + 0.1))) == 1


# -- resolutions that do not get through --------------------------------------------


def test_a_resolution_that_is_not_read_back_is_sent_again_under_a_new_id_and_ever_less_often() -> (
    None
):
    rig = Rig()
    call = rig.permitted()
    sent = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    assert rig.after(RESEND_S * 0.9) == []
    sent += offers(rig.after(RESEND_S * 0.2))
    assert len(sent) == 2
    assert rig.after(RESEND_S * 1.5) == [], "twice as long"
    for _ in range(3):
        sent += offers(rig.after(RESEND_MAX_S))
    assert len({offer.record_id for offer in sent}) == len(sent) >= 5
    assert all(isinstance(offer.facts[0], CallStarted) for offer in sent)
    assert rig.accept(sent[0]) == []
    assert rig.after(SILENCE_S * 0.9) == [], "any one of them will do"


def test_a_refused_resolution_is_decided_again_on_what_was_read() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    (again,) = offers(rig.refuse(started))
    assert again.record_id != started.record_id
    rig.accept(again)
    assert rig.refuse(started) == [], "the first is not looked up"


def test_a_resolution_that_the_log_did_not_take_is_sent_again_later() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    assert rig.refuse(started, taken=False) == []
    assert offered(rig.after(RESEND_S * 2), CallStarted).call_id == call.call_id


def test_a_completion_is_said_again_when_refused_not_taken_or_not_read_back() -> None:
    rig = Rig()
    rig.create(contacts=0)
    rig.start()
    (first,) = offers(rig.react(Working(frozenset({0}))))
    (second,) = offers(rig.refuse(first))
    assert rig.refuse(second, taken=False) == []
    (third,) = offers(rig.after(LOG_REST_S * 1.1))
    assert rig.after(RESEND_MAX_S * 0.9) == []
    (fourth,) = offers(rig.after(RESEND_MAX_S * 0.2))
    found = [first, second, third, fourth]
    assert len({offer.record_id for offer in found}) == 4
    assert all(isinstance(offer.facts[0], CampaignCompleted) for offer in found)
    assert rig.accept(fourth) == []


# -- a carrier that does not answer -------------------------------------------------


def test_silence_is_asked_about_and_never_taken_for_a_failure() -> None:
    rig = Rig()
    call = rig.permitted()
    assert rig.react(Answered(call.call_id, None)) == [LookUp(call.call_id)]
    found = answer(rig, call.call_id, Rung(rig.now))
    assert isinstance(found[0], Offer)
    assert isinstance(found[0].facts[0], CallStarted)


def test_not_found_counts_only_when_asked_after_nobody_can_place_it_any_more() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.react(Answered(call.call_id, None))
    assert answer(rig, call.call_id, NotFound()) == []
    assert rig.after(OVER_S * 0.99) == []
    assert looks(rig.after(OVER_S * 0.02)) == [call.call_id]
    (given_back,) = answer(rig, call.call_id, NotFound())
    assert isinstance(given_back, Offer)
    (fact,) = given_back.facts
    assert isinstance(fact, CallAbandoned)
    assert fact.reason is Abandonment.NOT_PLACED


def test_an_early_not_found_that_comes_late_does_not_count() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.react(Answered(call.call_id, None))
    asked_at = rig.boot
    rig.after(OVER_S * 2)
    assert rig.react(LookedUp(call.call_id, asked_at, NotFound(), "ours")) == [LookUp(call.call_id)]


def test_a_carrier_that_cannot_say_not_found_leaves_it_unknown() -> None:
    rig = Rig(lookup_lag_s=None)
    call = rig.permitted()
    rig.react(Answered(call.call_id, None))
    answer(rig, call.call_id, NotFound())
    rig.after(OVER_S * 1.01)
    (ended,) = answer(rig, call.call_id, NotFound())
    assert isinstance(ended, Offer)
    (fact,) = ended.facts
    assert isinstance(fact, CallEnded)
    assert fact.disposition is Disposition.UNKNOWN


@pytest.mark.parametrize("found", [None, Taken()])
def test_what_is_not_ringing_yet_is_asked_about_again(found: Taken | None) -> None:
    rig = Rig()
    call_id = strangers_call(rig)
    assert answer(rig, call_id, found) == []
    assert rig.after(POLL_S * 0.9) == []
    assert looks(rig.after(POLL_S * 0.2)) == [call_id]


def test_a_started_call_that_is_silent_for_too_long_is_asked_about() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    rig.accept(started)
    assert rig.after(SILENCE_S * 0.99) == []
    assert looks(rig.after(SILENCE_S * 0.02)) == [call.call_id]
    assert answer(rig, call.call_id, Rung(rig.now)) == [], "it goes on"
    assert looks(rig.after(SILENCE_S * 1.01)) == [call.call_id]
    assert answer(rig, call.call_id, NotFound()) == [], "looked up again"
    assert looks(rig.after(POLL_S * 1.1)) == [call.call_id]
    (ended,) = answer(rig, call.call_id, NotFound())
    assert isinstance(ended, Offer)
    (fact,) = ended.facts
    assert isinstance(fact, CallEnded)
    assert fact.disposition is Disposition.UNKNOWN


# -- calls of others ----------------------------------------------------------------


def test_anothers_permission_is_recovered_and_never_rung() -> None:
    rig = Rig()
    call_id = strangers_call(rig)
    (offer,) = answer(rig, call_id, Rung(rig.now))
    assert isinstance(offer, Offer)
    assert isinstance(offer.facts[0], CallStarted)
    effects = rig.accept(offer)
    assert looks(effects) == [call_id], "it is followed to its end"
    (ended,) = answer(rig, call_id, Ended(rig.now, rig.now, Disposition.ANSWERED, 1.0))
    assert isinstance(ended, Offer)
    assert isinstance(ended.facts[0], CallEnded)


@pytest.mark.parametrize(
    ("found", "kind"), [(RefusedLate(), CallAbandoned), (NoRing("no"), CallEnded)]
)
def test_anothers_refused_call_resolves_as_it_would_there(
    found: Found, kind: type[CallAbandoned | CallEnded]
) -> None:
    rig = Rig()
    call_id = strangers_call(rig)
    (offer,) = answer(rig, call_id, found)
    assert isinstance(offer, Offer)
    assert isinstance(offer.facts[0], kind)


def test_a_pause_does_not_give_back_what_is_not_ours() -> None:
    rig = Rig()
    strangers_call(rig)
    rig.stop()
    assert rig.react() == []


def test_nobody_recovers_calls_of_a_partition_that_others_work() -> None:
    rig = Rig()
    rig.create(contacts=1)
    rig.start()
    call_id = rig.ask(1)
    assert rig.react(Working(frozenset())) == []
    assert looks(rig.react(Working(frozenset({0})))) == [call_id], "until it is given to this one"


def test_a_restarted_dialer_recovers_its_own_earlier_calls() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.restarted()
    assert looks(rig.react(Working(frozenset({0})))) == [call.call_id]
    assert answer(rig, call.call_id, NotFound()) == [], "the wait starts over"
    assert looks(rig.after(OVER_S * 1.01)) == [call.call_id]
    assert answer(rig, call.call_id, NotFound())


def test_a_restarted_dialer_follows_a_started_call_to_its_end() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    rig.accept(started)
    rig.restarted()
    assert looks(rig.react(Working(frozenset({0})))) == [call.call_id]
    (ended,) = answer(rig, call.call_id, Ended(rig.now, rig.now, Disposition.BUSY, 0.0))
    assert isinstance(ended, Offer)
    assert isinstance(ended.facts[0], CallEnded)


# -- rings that should not be -------------------------------------------------------


def test_a_ring_whose_permission_others_gave_back_is_hung_up_and_put_on_the_record() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.abandon(call.call_id, 1)
    rig.react()
    effects = rig.react(Answered(call.call_id, Rung(rig.now)))
    assert HangUp(call.call_id) in effects
    late = [offer.facts[0] for offer in offers(effects) if isinstance(offer.facts[0], CallLate)]
    assert [(fact.call_id, fact.attempts) for fact in late] == [(call.call_id, 1)]


def test_a_report_of_an_abandoned_call_is_put_on_the_record_however_late_it_comes() -> None:
    rig = Rig()
    call = rig.permitted()
    (given_back,) = offers(rig.react(Answered(call.call_id, RefusedLate())))
    rig.accept(given_back)
    assert call.call_id not in rig.state.calls
    report = Reported(call.call_id, Ended(rig.now, rig.now, Disposition.ANSWERED, 1.0))
    late = [offer for offer in offers(rig.react(report)) if isinstance(offer.facts[0], CallLate)]
    assert len(late) == 1
    assert not offers(rig.accept(late[0])), "once"
    assert rig.react(report) == [], "the same report again is no news"


def test_a_good_call_is_not_hung_up_because_others_said_so_first() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.ring(call.call_id, 1)  # Recovery by another dialer: the same CallStarted.
    rig.react()
    assert rig.react(Answered(call.call_id, Rung(rig.now))) == []
    report = Reported(call.call_id, Ended(rig.now, rig.now, Disposition.ANSWERED, 1.0))
    assert offered(rig.react(report), CallEnded).disposition is Disposition.ANSWERED


def test_a_carrier_that_cannot_refuse_and_answers_too_late_is_hung_up() -> None:
    rig = Rig(refuses_late=False)
    call = rig.permitted()
    rig.passes(OVER_S + 0.1)
    hang_up, offer = rig.react(Answered(call.call_id, Rung(rig.now)))
    assert hang_up == HangUp(call.call_id)
    assert isinstance(offer, Offer)
    back, late = offer.facts
    assert isinstance(back, CallAbandoned)
    assert back.reason is Abandonment.RANG_LATE
    assert isinstance(late, CallLate)
    rig.accept(offer)
    assert not rig.state.calls


def test_a_carrier_that_cannot_refuse_and_answers_in_time_rings_on() -> None:
    rig = Rig(refuses_late=False)
    call = rig.permitted()
    rig.passes(OVER_S - 0.1)
    assert offered(rig.react(Answered(call.call_id, Rung(rig.now))), CallStarted)


def test_a_tick_about_a_call_that_nobody_knows_changes_nothing() -> None:
    rig = Rig()
    rig.running()
    assert (
        rig.react(
            Answered("x", Rung(rig.now)),
            LookedUp("x", rig.boot, NotFound(), "ours"),
            Reported("x", Ended(rig.now, rig.now, Disposition.BUSY, 0.0)),
            Woken(),
        )
        == []
    )
