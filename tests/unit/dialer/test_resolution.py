"""How a permission or a call ends in the log: by what log and carrier say, by example."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.domain.contact import Contact
from campaigns.domain.decider import UNCHANGED, Facts, Unchanged
from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    Disposition,
)
from dialer.calls.call import Call
from dialer.calls.call_states import DETAIL, Late, Logged, Lost, Statement, Use
from dialer.calls.inputs import Clocks
from dialer.carrier.port import Elsewhere, Ended, NoRing, NotFound, RefusedLate, Rung
from dialer.decisions.resolution import ended, resolution, unusable
from tests.support.folded_journal import FoldedJournal

RANG_AT = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
TALKED = Ended(RANG_AT, RANG_AT + timedelta(seconds=45), Disposition.ANSWERED, 45.0)
BOOT = 1000.0  # The moment, by CLOCK_BOOTTIME; the line was asked for at 999.


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.running()
    return told


def call(
    told: FoldedJournal, stage: Logged, *, ours: bool = True, heard: Statement | None = None
) -> Call:
    ring_by = told.now + timedelta(seconds=2)
    return Call(
        "call", 1, 1, 1, 1, 2.0, 5.0, True, ring_by, stage, BOOT - 1 if ours else None,
        folded_at=BOOT - 1, heard=heard,
    )  # fmt: skip


def said(
    told: FoldedJournal, one: Call, *, boot: float = BOOT, stopping: bool = False
) -> Facts | Unchanged:
    contact, clocks = told.contact(1), Clocks(told.now, boot)
    return resolution(one, told.campaign, contact, clocks, stopping=stopping)


def resolved(
    told: FoldedJournal, one: Call, *, boot: float = BOOT, stopping: bool = False
) -> Facts:
    facts = said(told, one, boot=boot, stopping=stopping)
    assert isinstance(facts, tuple), facts
    return facts


def test_what_was_only_asked_for_needs_no_resolution(told: FoldedJournal) -> None:
    assert said(told, call(told, Logged.ASKED)) == UNCHANGED
    assert said(told, call(told, Logged.ASKED), stopping=True) == UNCHANGED


@pytest.mark.parametrize("heard", [Rung(RANG_AT), TALKED])
def test_a_ring_that_has_begun_is_a_start_at_the_carriers_instant(
    told: FoldedJournal, heard: Rung | Ended
) -> None:
    (fact,) = resolved(told, call(told, Logged.PERMITTED, heard=heard))
    assert isinstance(fact, CallStarted)
    assert (fact.call_id, fact.started_at) == ("call", RANG_AT)


def test_a_definite_no_is_a_failed_attempt(told: FoldedJournal) -> None:
    (fact,) = resolved(told, call(told, Logged.PERMITTED, heard=NoRing("no such number")))
    assert isinstance(fact, CallEnded)
    assert (fact.disposition, fact.error) == (Disposition.FAILED, "no such number")


def test_a_late_refusal_gives_the_permission_back(told: FoldedJournal) -> None:
    (fact,) = resolved(told, call(told, Logged.PERMITTED, heard=RefusedLate()))
    assert isinstance(fact, CallAbandoned)
    assert (fact.reason, fact.exhausted) == (Abandonment.REFUSED_LATE, False)


@pytest.mark.parametrize("heard", [NotFound(), Elsewhere()])
def test_what_nobody_can_place_any_more_is_given_back(
    told: FoldedJournal, heard: NotFound | Elsewhere
) -> None:
    (fact,) = resolved(told, call(told, Logged.PERMITTED, ours=False, heard=heard))
    assert isinstance(fact, CallAbandoned)
    assert fact.reason is Abandonment.NOT_PLACED


@pytest.mark.parametrize("stage", [Logged.PERMITTED, Logged.STARTED])
def test_what_the_carrier_cannot_say_ends_as_unknown_and_is_never_retried(
    told: FoldedJournal, stage: Logged
) -> None:
    (fact,) = resolved(told, call(told, stage, ours=False, heard=Lost()))
    assert isinstance(fact, CallEnded)
    assert (fact.disposition, fact.error) == (Disposition.UNKNOWN, "outcome unknown")
    assert fact.retry_at is None


def test_an_open_permission_of_another_dialer_is_left_alone(told: FoldedJournal) -> None:
    told.pause()
    assert said(told, call(told, Logged.PERMITTED, ours=False), boot=BOOT + 100) == UNCHANGED


def test_a_permission_of_ours_that_may_be_used_is_left_alone(told: FoldedJournal) -> None:
    assert said(told, call(told, Logged.PERMITTED)) == UNCHANGED


def test_a_permission_that_was_handed_over_is_the_carriers_to_resolve(told: FoldedJournal) -> None:
    one = call(told, Logged.PERMITTED)
    one.use = Use.PLACING
    told.pause()
    assert said(told, one, boot=BOOT + 100, stopping=True) == UNCHANGED


def test_a_pause_gives_back_at_once_what_is_not_handed_over(told: FoldedJournal) -> None:
    told.pause()
    (fact,) = resolved(told, call(told, Logged.PERMITTED))
    assert isinstance(fact, CallAbandoned)
    assert fact.reason is Abandonment.NOT_RUNNING


def test_why_a_permission_must_not_be_used_any_more(told: FoldedJournal) -> None:
    one = call(told, Logged.PERMITTED)
    assert unusable(one, told.campaign, told.contact(1), BOOT, stopping=False) is None
    assert unusable(one, told.campaign, told.contact(1), BOOT + 0.999, stopping=False) is None
    assert (
        unusable(one, told.campaign, told.contact(1), BOOT + 1, stopping=False)
        is Abandonment.LEASE_OVER
    )
    assert (
        unusable(one, told.campaign, told.contact(1), BOOT, stopping=True)
        is Abandonment.SHUTTING_DOWN
    )
    one.use = Use.GIVEN_UP
    assert (
        unusable(one, told.campaign, told.contact(1), BOOT, stopping=False)
        is Abandonment.LEASE_OVER
    )
    told.campaign.run = 2
    assert (
        unusable(one, told.campaign, told.contact(1), BOOT, stopping=False)
        is Abandonment.NOT_RUNNING
    )


def test_a_call_that_is_over_ends_as_the_carrier_says(told: FoldedJournal) -> None:
    (fact,) = resolved(told, call(told, Logged.STARTED, heard=TALKED))
    assert isinstance(fact, CallEnded)
    assert (fact.disposition, fact.duration_s) == (Disposition.ANSWERED, 45.0)
    assert (fact.ended_at, fact.retry_at) == (TALKED.ended_at, None)


def test_a_call_that_goes_on_is_left_alone(told: FoldedJournal) -> None:
    assert said(told, call(told, Logged.STARTED, heard=Rung(RANG_AT))) == UNCHANGED


@pytest.mark.parametrize("stage", [Logged.ENDED, Logged.UNRUNG, Logged.UNKNOWN])
def test_what_is_resolved_stays_so(told: FoldedJournal, stage: Logged) -> None:
    assert said(told, call(told, stage)) == UNCHANGED


def test_a_ring_after_its_resolution_is_put_on_the_record(told: FoldedJournal) -> None:
    one = call(told, Logged.UNRUNG)
    one.late = Late.OTHERWISE
    (fact,) = resolved(told, one)
    assert isinstance(fact, CallLate)
    assert (fact.attempts, fact.exhausted) == (1, False)
    assert fact.detail == DETAIL[Late.OTHERWISE]


def test_a_late_ring_of_an_open_permission_is_given_back_and_put_on_the_record_together(
    told: FoldedJournal,
) -> None:
    told.contact(1).attempts = 2
    one = call(told, Logged.PERMITTED, heard=Rung(RANG_AT))
    one.late = Late.TOO_LATE
    back, late = resolved(told, one)
    assert isinstance(back, CallAbandoned)
    assert isinstance(late, CallLate)
    assert (back.reason, back.exhausted) == (Abandonment.RANG_LATE, False)
    assert (late.attempts, late.exhausted) == (3, True), "a phone has rung: the last attempt"


def test_what_is_given_back_when_no_attempt_is_left_is_done(told: FoldedJournal) -> None:
    told.contact(1).attempts = 3
    told.pause()
    (fact,) = resolved(told, call(told, Logged.PERMITTED))
    assert isinstance(fact, CallAbandoned)
    assert fact.exhausted


def retry_of(told: FoldedJournal, how: Disposition, attempts: int) -> datetime | None:
    contact = Contact(1, attempts=attempts)
    return ended(call(told, Logged.STARTED), told.campaign, contact, how, RANG_AT).retry_at


@pytest.mark.parametrize("how", list(Disposition))
def test_busy_no_answer_and_failed_are_retried_after_the_delay(
    told: FoldedJournal, how: Disposition
) -> None:
    again = how in (Disposition.BUSY, Disposition.NO_ANSWER, Disposition.FAILED)
    expected = RANG_AT + timedelta(minutes=30) if again else None
    assert retry_of(told, how, 0) == retry_of(told, how, 1) == expected


def test_the_last_attempt_is_not_retried(told: FoldedJournal) -> None:
    assert retry_of(told, Disposition.BUSY, 1)
    assert retry_of(told, Disposition.BUSY, 2) is None


def test_after_a_stop_nothing_is_retried_and_after_a_pause_it_is(told: FoldedJournal) -> None:
    told.pause()
    assert retry_of(told, Disposition.BUSY, 0)
    told.stop()
    assert retry_of(told, Disposition.BUSY, 0) is None
