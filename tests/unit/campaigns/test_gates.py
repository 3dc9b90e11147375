"""Each gate by example, shut and open."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from campaigns.domain.contact import ABANDONED_REST, ContactStatus
from campaigns.domain.decider import Reason
from campaigns.domain.facts import Disposition
from campaigns.gates.gates import (
    GATES,
    Gate,
    anyone_due,
    anyone_left,
    attempts_left,
    campaign_running,
    carrier_takes,
    contact_pending,
    dialer_works,
    first_shut,
    line_free,
    log_answers,
    rate_left,
    rested,
)
from campaigns.gates.room import DialerRoom, Reading, Turn, room
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
    assert (no.reason, no.retry_at) == (Reason.RESTING, due_at)
    assert rested(reading(told), due_at - timedelta(microseconds=1))
    assert rested(reading(told), due_at) is None


def test_an_abandoned_contact_rests_a_moment(told: FoldedJournal) -> None:
    call_id, abandoned_at = told.ask(1), told.now
    told.give_back(call_id)
    assert told.contact(1).status is ContactStatus.PENDING
    assert rested(reading(told), abandoned_at)
    assert rested(reading(told), abandoned_at + ABANDONED_REST) is None


def own(asked: int = 0, *, works: bool = True, rest_s: float = 0.0, room: int = 9) -> DialerRoom:
    return DialerRoom(works, asked, rest_s, room)


def paced(told: FoldedJournal, *, lines: int = 5, per_minute: int = 60_000) -> None:
    """Give the campaign other limits."""
    created = told.campaign.created
    settings = replace(created.settings, max_concurrent_calls=lines, calls_per_minute=per_minute)
    told.campaign.created = replace(created, settings=settings)


def test_a_campaign_whose_contacts_are_all_being_called_or_done_waits_for_its_end(
    told: FoldedJournal,
) -> None:
    paced(told)
    whole = Reading(told.campaign)
    told.call(1)
    assert anyone_left(whole, told.now) is None
    call_id = told.ask(2)
    told.ask(3)
    no = anyone_left(whole, told.now)
    assert no is not None
    assert (no.reason, no.retry_at) == (Reason.NO_CONTACTS_LEFT, None)
    assert no.detail == "no contact is left but those of 2 open calls"
    told.give_back(call_id)
    assert anyone_left(whole, told.now) is None


def test_a_campaign_waits_for_a_list_that_is_being_imported(told: FoldedJournal) -> None:
    for contact_id in (1, 2, 3):
        told.call(contact_id)
    no = anyone_left(Reading(told.campaign), told.now)
    assert no is not None
    assert no.detail == "no contact is left: the campaign completes"
    told.begin_import(4)
    no = anyone_left(Reading(told.campaign), told.now)
    assert no is not None
    assert no.detail == "no contact is left until the list that is being imported counts"


def test_lines_count_open_calls_and_requests_on_their_way(told: FoldedJournal) -> None:
    paced(told, lines=2)
    assert room(Reading(told.campaign, None, own()), told.now) == 2
    call_id = told.ask(1)
    assert room(Reading(told.campaign, None, own()), told.now) == 1
    assert line_free(Reading(told.campaign), told.now) is None
    no = line_free(Reading(told.campaign, None, own(asked=1)), told.now)
    assert no is not None
    assert (no.reason, no.retry_at) == (Reason.ALL_LINES_BUSY, None)
    told.give_back(call_id)
    assert line_free(Reading(told.campaign, None, own(asked=1)), told.now) is None


def test_the_rate_says_when_the_next_call_is_due(told: FoldedJournal) -> None:
    paced(told, per_minute=60)
    requested_at = told.now
    told.ask(1)
    no = rate_left(Reading(told.campaign), requested_at)
    assert no is not None
    assert (no.reason, no.detail) == (Reason.RATE, "60 calls a minute")
    assert no.retry_at == requested_at + timedelta(seconds=1)
    assert rate_left(Reading(told.campaign), no.retry_at) is None
    no = rate_left(Reading(told.campaign, None, own(asked=1)), no.retry_at)
    assert no is not None, "one is on its way"
    assert no.retry_at == requested_at + timedelta(seconds=2)
    told.after(minutes=1)
    assert room(Reading(told.campaign), told.now) == 1, "one second's worth"


@pytest.mark.parametrize(
    ("gate", "shut", "reason"),
    [
        (dialer_works, own(works=False), Reason.AWAITS_DIALER),
        (log_answers, own(rest_s=0.5), Reason.LOG_SLOW),
        (carrier_takes, own(room=0), Reason.CARRIER_FULL),
    ],
)
def test_what_a_dialer_knows_of_itself_is_a_gate_of_its_own_alone(
    told: FoldedJournal, gate: Gate, shut: DialerRoom, reason: Reason
) -> None:
    no = gate(Reading(told.campaign, None, shut), told.now)
    assert no is not None
    assert no.reason is reason
    assert no.retry_at == (told.now + timedelta(seconds=0.5) if shut.rest_s else None)
    assert gate(Reading(told.campaign, None, own()), told.now) is None
    assert gate(Reading(told.campaign), told.now) is None, "the log does not tell"


def test_a_campaign_whose_contacts_all_rest_says_when_the_first_is_due(
    told: FoldedJournal,
) -> None:
    soon = told.now + timedelta(minutes=5)
    no = anyone_due(Reading(told.campaign, turn=Turn((), soon)), told.now)
    assert no is not None
    assert (no.reason, no.retry_at) == (Reason.ALL_RESTING, soon)
    asked = anyone_due(Reading(told.campaign, None, own(asked=1), Turn((), None)), told.now)
    assert asked is not None
    assert asked.detail.startswith("the pending contacts are being asked for")
    assert anyone_due(Reading(told.campaign, turn=Turn([2], soon)), told.now) is None
    assert anyone_due(Reading(told.campaign), told.now) is None, "not looked up"


def test_a_contact_waits_while_there_is_room_only_for_others(told: FoldedJournal) -> None:
    turn = Turn([1, 2], None)
    assert first_shut(reading(told, 2)._replace(turn=turn), told.now) is None
    no = first_shut(reading(told, 3)._replace(turn=turn), told.now)
    assert no is not None
    assert no.reason is Reason.OTHERS_FIRST
    assert no.detail == "there is room for 2 calls now, and other contacts come first"
    assert first_shut(Reading(told.campaign, turn=turn), told.now) is None, "nobody in particular"


def test_of_several_shut_gates_the_one_that_lasts_is_named(told: FoldedJournal) -> None:
    paced(told, lines=1, per_minute=1)
    told.call(1)
    told.ask(2)
    full = own(room=0)

    def named(contact_id: int | None) -> Reason | None:
        contact = told.contact(contact_id) if contact_id else None
        no = first_shut(Reading(told.campaign, contact, full), told.now)
        return no.reason if no else None

    assert named(1) is Reason.CONTACT_DONE, "and not the rate, for a moment more"
    assert named(3) is Reason.ALL_LINES_BUSY
    assert named(None) is Reason.ALL_LINES_BUSY
    told.contact(3).due_at = told.now + timedelta(minutes=5)
    assert named(3) is Reason.RESTING


def test_the_first_shut_gate_says_why(told: FoldedJournal) -> None:
    told.call(1)
    told.stop()
    no = first_shut(reading(told), told.now)
    assert no is not None
    assert no.reason is Reason.NOT_RUNNING
