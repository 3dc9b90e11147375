"""Asking for one call, by example."""

from datetime import timedelta

from campaigns.domain.contact import Contact
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CallRequested, Disposition
from campaigns.domain.values.stream_names import campaign_stream, contact_stream
from campaigns.gates.room import Reading
from dialer.decisions.request_call import REQUEST_CALL, RequestCall
from tests.support.folded_journal import FoldedJournal


def command(told: FoldedJournal, contact_id: int = 1) -> RequestCall:
    return RequestCall("call", 1, contact_id, told.now, 2.0, 5.0, refuses_late=False)


def test_a_request_carries_its_terms_and_the_instant_after_which_nothing_rings() -> None:
    told = FoldedJournal()
    told.running()
    assert REQUEST_CALL.decide(Reading(told.campaign, Contact(1)), command(told)) == (
        CallRequested(
            campaign_id=1,
            contact_id=1,
            call_id="call",
            run=1,
            attempt=1,
            requested_at=told.now,
            ring_by=told.now + timedelta(seconds=2),
            lease_s=2.0,
            carrier_timeout_s=5.0,
            refuses_late=False,
        ),
    )


def test_a_retry_is_the_next_attempt() -> None:
    told = FoldedJournal()
    told.running()
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=5))
    told.after(minutes=5)
    facts = REQUEST_CALL.decide(Reading(told.campaign, told.contact(1)), command(told))
    assert isinstance(facts, tuple)
    (fact,) = facts
    assert isinstance(fact, CallRequested)
    assert fact.attempt == 2


def test_an_abandoned_attempts_number_is_used_again() -> None:
    told = FoldedJournal()
    told.running()
    told.give_back(told.ask(1))
    told.after(minutes=1)
    facts = REQUEST_CALL.decide(Reading(told.campaign, told.contact(1)), command(told))
    assert isinstance(facts, tuple)
    assert isinstance(facts[0], CallRequested)
    assert facts[0].attempt == 1


def test_a_shut_gate_is_the_answer() -> None:
    told = FoldedJournal()
    told.running()
    told.pause()
    decision = REQUEST_CALL.decide(Reading(told.campaign, Contact(1)), command(told))
    assert decision == Rejected(Reason.NOT_RUNNING, "campaign is paused")


def test_a_request_rests_on_the_contact_and_is_guarded_by_its_campaign() -> None:
    told = FoldedJournal()
    assert REQUEST_CALL.streams(command(told, 7)) == (contact_stream(1, 7), campaign_stream(1))
