"""A permission names its carrier: what another carrier's answers mean, by example (ADR-0018)."""

import pytest

from campaigns.domain.campaign import dump, load
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallRequested,
    CallStarted,
    Disposition,
)
from dialer.calls.effects import LookUp, Place
from dialer.calls.inputs import Answered, LookedUp, Reported, Working
from dialer.carrier.port import Elsewhere, Ended, Found, NoRing, NotFound, RefusedLate, Rung, Taken
from dialer.reactor.state import Terms
from tests.unit.dialer.rig import (
    CARRIER_TIMEOUT_S,
    LEASE_S,
    POLL_S,
    SILENCE_S,
    Rig,
    looks,
    offered,
    offers,
)

OVER_S = LEASE_S + CARRIER_TIMEOUT_S
NOTHING_RANG = [NotFound(), NoRing("unknown here"), RefusedLate(), Taken(), None]
ELSEWHERE = ["theirs", None]  # Another carrier; an old log, which names none.


def anothers_call(rig: Rig, carrier: str | None) -> str:
    """Let a call stand open that another carrier was permitted to ring, and ask ours."""
    rig.create(contacts=1)
    rig.start()
    call_id = rig.ask(1, carrier=carrier)
    assert looks(rig.react(Working(frozenset({0})))) == [call_id]
    return call_id


def told(rig: Rig, call_id: str, found: Found | None, carrier: str | None = "ours") -> list[object]:
    return list(rig.react(LookedUp(call_id, rig.boot, found, carrier)))


def exchanged(rig: Rig, carrier: str | None) -> None:
    """Have another carrier answer."""
    now = rig.state.terms
    rig.carrier = carrier
    rig.state.declare(
        Terms(
            carrier, now.lease_s, now.carrier_timeout_s, now.refuses_late, now.clocks_agree,
            now.lookup_lag_s, now.silence_s, now.placing_max, now.resend_s, now.resend_max_s,
            now.recover_poll_s,
        )
    )  # fmt: skip


@pytest.mark.parametrize("found", NOTHING_RANG)
@pytest.mark.parametrize("carrier", ELSEWHERE)
def test_nobody_but_the_one_named_can_say_that_a_phone_did_not_ring(
    carrier: str | None, found: Found | None
) -> None:
    rig = Rig()
    call_id = anothers_call(rig, carrier)
    assert told(rig, call_id, found) == []
    assert looks(rig.after(POLL_S)) == [call_id]  # It may still be found.
    assert told(rig, call_id, found) == []
    rig.passes(OVER_S)
    assert looks(rig.after(0)) == [call_id]
    (offer,) = told(rig, call_id, found)
    ended = offered([offer], CallEnded)  # type: ignore[list-item]  # An effect.
    assert (ended.disposition, ended.retry_at) == (Disposition.UNKNOWN, None)
    rig.accept(offer)  # type: ignore[arg-type]  # An offer.
    assert rig.contacts.get(rig.campaigns.by_id[1], 1).attempts == 1
    later = [fact for offer in offers(rig.after(600)) for fact in offer.facts]
    assert not [fact for fact in later if isinstance(fact, CallRequested)]


@pytest.mark.parametrize("carrier", ELSEWHERE)
def test_who_says_that_it_rang_is_believed_whoever_it_is(carrier: str | None) -> None:
    """Ids are unique, and the one request there was went there: an old log's calls go on."""
    rig = Rig()
    call_id = anothers_call(rig, carrier)
    (offer,) = told(rig, call_id, Rung(rig.now))
    assert offered([offer], CallStarted)  # type: ignore[list-item]  # An effect.
    assert looks(rig.accept(offer)) == [call_id]  # type: ignore[arg-type]  # An offer.
    how = Ended(rig.now, rig.now, Disposition.BUSY, 0.0)
    (end,) = told(rig, call_id, how)
    assert offered([end], CallEnded).disposition is Disposition.BUSY  # type: ignore[list-item]


def test_the_one_named_is_believed_as_ever() -> None:
    rig = Rig()
    call_id = anothers_call(rig, "ours")
    assert told(rig, call_id, NotFound()) == []
    assert looks(rig.after(OVER_S)) == [call_id]
    (offer,) = told(rig, call_id, NotFound())
    assert offered([offer], CallAbandoned).reason is Abandonment.NOT_PLACED  # type: ignore[list-item]


@pytest.mark.parametrize("found", NOTHING_RANG)
def test_a_started_call_is_waited_for_as_long_as_calls_are_silent(found: Found | None) -> None:
    rig = Rig()
    call_id = anothers_call(rig, "theirs")
    (offer,) = told(rig, call_id, Rung(rig.now))
    asked_at, effects = rig.boot, rig.accept(offer)  # type: ignore[arg-type]  # An offer.
    while looks(effects) == [call_id]:
        if offering := told(rig, call_id, found):
            ended = offered(offering, CallEnded)  # type: ignore[arg-type]  # Effects.
            assert ended.disposition is Disposition.UNKNOWN
            assert SILENCE_S <= rig.boot - asked_at <= SILENCE_S + 3 * POLL_S
            return
        assert rig.boot - asked_at < 2 * SILENCE_S
        effects = rig.after(POLL_S)
    pytest.fail("nobody asks any more")


def test_a_report_of_the_exchanged_carrier_ends_its_call() -> None:
    rig = Rig()
    call_id = rig.permitted().call_id
    (offer,) = rig.react(Answered(call_id, Rung(rig.now)))
    rig.accept(offer)  # type: ignore[arg-type]  # An offer.
    exchanged(rig, "another")
    (end,) = rig.react(Reported(call_id, Ended(rig.now, rig.now, Disposition.ANSWERED, 3.0)))
    assert offered([end], CallEnded).disposition is Disposition.ANSWERED


def test_a_carrier_exchanged_while_it_was_silent_leaves_its_call_unknown() -> None:
    rig = Rig()
    call_id = rig.permitted().call_id
    exchanged(rig, "another")
    assert looks(rig.react(Answered(call_id, None))) == [call_id]
    assert told(rig, call_id, NotFound(), "another") == []
    rig.passes(OVER_S)
    assert looks(rig.after(0)) == [call_id]
    assert offered(told(rig, call_id, NotFound(), "another"), CallEnded).disposition is (  # type: ignore[arg-type]
        Disposition.UNKNOWN
    )


def test_an_answer_of_the_one_named_that_comes_late_counts() -> None:
    rig = Rig()
    call_id = rig.permitted().call_id
    assert looks(rig.react(Answered(call_id, None))) == [call_id]
    exchanged(rig, "another")
    (offer,) = told(rig, call_id, NoRing("busy line"), "ours")
    assert offered([offer], CallEnded).disposition is Disposition.FAILED  # type: ignore[list-item]


def test_what_reached_another_carrier_was_never_placed_and_is_requested_again() -> None:
    rig = Rig()
    call_id = rig.permitted().call_id
    exchanged(rig, "another")
    (offer,) = rig.react(Answered(call_id, Elsewhere()))
    assert offered([offer], CallAbandoned).reason is Abandonment.NOT_PLACED
    rig.accept(offer)  # type: ignore[arg-type]  # An offer.
    (again,) = offers(rig.after(1.0))
    (fact,) = again.facts
    assert isinstance(fact, CallRequested)
    assert (fact.carrier, fact.attempt) == ("another", 1)
    assert rig.accept(again) == [Place(again.record_id)]


def test_a_restart_with_the_same_carrier_asks_it_and_with_another_does_not_believe_it() -> None:
    for carrier, kind in (("ours", CallAbandoned), ("another", CallEnded)):
        rig = Rig()
        call_id = rig.permitted().call_id
        stored = dump(rig.campaigns.by_id[1])
        assert load(stored, 1).calls[call_id].carrier == "ours"
        rig.carrier = carrier
        rig.restarted()
        assert rig.react(Working(frozenset({0}))) == [LookUp(call_id)]
        rig.passes(OVER_S)
        (offer,) = told(rig, call_id, NotFound(), carrier)
        assert offered([offer], kind)  # type: ignore[list-item]  # A kind of fact.
