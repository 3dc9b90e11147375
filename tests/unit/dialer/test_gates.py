"""Each gate by example, shut and open."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns.domain.contact import ABANDONED_REST, ContactStatus
from campaigns.domain.decider import Reason
from campaigns.domain.facts import Disposition
from dialer.decisions.gates import (
    GATES,
    Reading,
    attempts_left,
    campaign_running,
    contact_pending,
    first_shut,
    rested,
)
from tests.support.folded_journal import FoldedJournal


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.running()
    return told


def reading(told: FoldedJournal, contact_id: int = 1) -> Reading:
    return Reading(told.campaign, told.contact(contact_id))


def test_a_fresh_contact_of_a_running_campaign_may_be_called(told: FoldedJournal) -> None:
    assert first_shut(reading(told), told.now) is None
    assert all(gate(reading(told), told.now) is None for gate in GATES)


def test_a_draft_does_not_call() -> None:
    told = FoldedJournal()
    told.create()
    no = campaign_running(reading(told), told.now)
    assert no is not None
    assert (no.reason, no.detail) == (Reason.NOT_RUNNING, "campaign is draft")


@pytest.mark.parametrize("move", [FoldedJournal.pause, FoldedJournal.stop, FoldedJournal.complete])
def test_only_a_running_campaign_calls(
    told: FoldedJournal, move: Callable[[FoldedJournal], object]
) -> None:
    move(told)
    no = campaign_running(reading(told), told.now)
    assert no is not None
    assert (no.reason, no.detail) == (Reason.NOT_RUNNING, f"campaign is {told.campaign.status}")


def test_a_resumed_campaign_calls_again(told: FoldedJournal) -> None:
    told.pause()
    assert campaign_running(reading(told), told.now)
    told.resume()
    assert campaign_running(reading(told), told.now) is None


def test_a_contact_is_called_by_one_call_at_a_time(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    assert contact_pending(reading(told), told.now)
    assert contact_pending(reading(told, 2), told.now) is None
    told.ring(call_id, 1)
    assert contact_pending(reading(told), told.now)


@pytest.mark.parametrize("how", list(Disposition))
def test_a_contact_that_is_done_is_not_called_again(told: FoldedJournal, how: Disposition) -> None:
    told.call(1, how)
    no = contact_pending(reading(told), told.now)
    assert no is not None
    assert no.reason is Reason.CONTACT_DONE


def test_a_contact_that_a_replacing_import_took_away_is_not_called(told: FoldedJournal) -> None:
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    told.replace(through=3, rows=1)
    assert contact_pending(reading(told, 1), told.now) is None, "it was attempted: it stays"
    assert contact_pending(reading(told, 2), told.now)
    assert contact_pending(reading(told, 4), told.now) is None


def test_attempts_are_counted_in_all(told: FoldedJournal) -> None:
    told.contact(1).attempts = 2
    assert attempts_left(reading(told), told.now) is None
    told.contact(1).attempts = 3  # As many as max_attempts says.
    no = attempts_left(reading(told), told.now)
    assert no is not None
    assert (no.reason, no.detail) == (Reason.ATTEMPTS_SPENT, "3 attempts spent")


def test_a_retry_waits_for_its_time_and_says_when_that_is(told: FoldedJournal) -> None:
    told.call(1, Disposition.NO_ANSWER, retry_in=timedelta(minutes=30))
    ended_at, due_at = told.contact(1).ended_at, told.contact(1).due_at
    assert ended_at is not None
    assert due_at == ended_at + timedelta(minutes=30)
    no = rested(reading(told), ended_at)
    assert no is not None
    assert (no.reason, no.retry_at) == (Reason.TOO_SOON, due_at)
    assert rested(reading(told), due_at - timedelta(microseconds=1))
    assert rested(reading(told), due_at) is None


def test_an_abandoned_contact_rests_a_moment(told: FoldedJournal) -> None:
    call_id, abandoned_at = told.ask(1), told.now
    told.give_back(call_id)
    assert told.contact(1).status is ContactStatus.PENDING
    assert rested(reading(told), abandoned_at)
    assert first_shut(reading(told), abandoned_at + ABANDONED_REST) is None


def test_the_first_shut_gate_says_why(told: FoldedJournal) -> None:
    told.call(1)
    told.stop()
    no = first_shut(reading(told), told.now)
    assert no is not None
    assert no.reason is Reason.NOT_RUNNING
