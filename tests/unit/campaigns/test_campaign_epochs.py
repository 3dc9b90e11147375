"""A stop and a replacing import change any number of contacts by one step, by example."""

from datetime import timedelta

import pytest

from campaigns.domain.campaign import Counters, gone
from campaigns.domain.contact import ContactStatus, shown
from campaigns.domain.facts import Disposition
from campaigns.domain.moves import Status
from tests.support.folded_journal import FoldedJournal


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.running(contacts=4)
    return told


def status(told: FoldedJournal, contact_id: int) -> ContactStatus | None:
    """Return what people see of a contact; None when it is gone."""
    contact = told.contact(contact_id)
    in_progress = contact.status is ContactStatus.IN_PROGRESS
    if gone(told.campaign, contact_id, contact.attempts, in_progress):
        return None
    return shown(told.campaign, contact)


def test_a_stop_cancels_who_is_pending_and_who_waits_for_a_retry(told: FoldedJournal) -> None:
    told.call(1)
    told.call(2, Disposition.BUSY, retry_in=timedelta(minutes=30))
    told.ring(told.ask(3), 3)
    told.stop()
    assert [status(told, n) for n in (1, 2, 3, 4)] == [
        "completed", "cancelled", "in_progress", "cancelled",
    ]  # fmt: skip
    assert told.campaign.counters == Counters(total=4, in_progress=1, completed=1, cancelled=2)


def test_what_is_abandoned_after_a_stop_was_pending_then(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.stop()
    told.give_back(call_id)
    assert status(told, 1) is ContactStatus.CANCELLED
    assert told.campaign.counters == Counters(total=4, cancelled=4)


def test_what_ends_after_a_stop_is_not_retried(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.ring(call_id, 1)
    told.stop()
    told.end(call_id, 1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    assert status(told, 1) is ContactStatus.BUSY
    assert told.campaign.counters == Counters(total=4, failed=1, cancelled=3)


def test_a_replacing_import_takes_who_was_never_attempted_and_is_pending(
    told: FoldedJournal,
) -> None:
    told.call(1)
    told.call(2, Disposition.BUSY, retry_in=timedelta(minutes=30))
    told.pause()
    told.replace(through=4, rows=3)
    assert [status(told, n) for n in range(1, 8)] == [
        "completed", "pending", None, None, "pending", "pending", "pending",
    ]  # fmt: skip
    assert told.campaign.counters == Counters(total=5, pending=4, completed=1, untouched=3)
    assert (told.campaign.contacts_end, told.campaign.replaced_through) == (7, 4)


@pytest.mark.parametrize("rang", [False, True])
def test_an_open_permission_at_a_replacement_is_judged_by_how_it_resolves(
    told: FoldedJournal, rang: bool
) -> None:
    call_id = told.ask(1)
    told.pause()
    told.replace(through=4, rows=1)
    assert status(told, 1) is ContactStatus.IN_PROGRESS
    assert told.campaign.counters == Counters(total=2, pending=1, in_progress=1, untouched=1)
    if rang:
        told.ring(call_id, 1)
        told.end(call_id, 1, Disposition.BUSY, retry_in=timedelta(minutes=30))
        assert status(told, 1) is ContactStatus.PENDING
        assert told.campaign.counters == Counters(total=2, pending=2, untouched=1)
    else:
        told.give_back(call_id)
        assert status(told, 1) is None, "it counts as pending at the replacement"
        assert told.campaign.counters == Counters(total=1, pending=1, untouched=1)


def test_a_late_ring_of_who_is_gone_counts_nothing_but_its_execution(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.pause()
    told.replace(through=4, rows=1)
    told.give_back(call_id)
    before = told.campaign.counters.total
    told.rang_late(call_id, 1, 1)
    assert status(told, 1) is None
    assert (told.campaign.counters.total, told.campaign.executions) == (before, 1)


def test_who_rang_late_before_a_replacement_was_attempted_and_stays(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.give_back(call_id)
    told.rang_late(call_id, 1, 1)
    told.pause()
    told.replace(through=4, rows=1)
    assert status(told, 1) is ContactStatus.PENDING
    assert told.campaign.counters == Counters(total=2, pending=2, untouched=1)


def test_two_replacements_leave_the_last_list(told: FoldedJournal) -> None:
    told.pause()
    told.replace(through=4, rows=2, number=1)
    told.replace(through=6, rows=3, number=2)
    assert [n for n in range(1, 10) if status(told, n)] == [7, 8, 9]
    assert told.campaign.counters == Counters(total=3, pending=3, untouched=3)


def test_an_import_that_replaces_nobody_appends(told: FoldedJournal) -> None:
    told.append(2)
    assert told.campaign.counters == Counters(total=6, pending=6, untouched=6)
    assert (told.campaign.contacts_end, told.campaign.imports) == (6, 0)
    assert told.campaign.available_variables == ("city",)
    assert told.campaign.last_import_file_name is None, "JSON contacts are no import"


def test_an_import_under_way_counts_nothing_and_is_numbered(told: FoldedJournal) -> None:
    told.pause()
    import_id = told.begin_import(rows=100)
    importing = told.campaign.importing
    assert importing is not None
    assert (importing.import_id, importing.number, importing.rows) == (import_id, 1, 100)
    assert told.campaign.counters.total == 4
    told.fail_import(import_id)
    assert told.campaign.importing is None
    told.begin_import(rows=1)
    assert told.campaign.imports == 2
    told.replace(through=4, rows=1, number=2)
    assert told.campaign.importing is None
    assert told.campaign.last_import_file_name == "list.csv"
    assert told.campaign.last_import_row_count == 1


def test_a_stop_folds_in_one_step_whatever_the_list() -> None:
    told = FoldedJournal()
    told.running(contacts=2000)
    told.stop()
    assert told.campaign.status is Status.CANCELLED
    assert told.campaign.counters == Counters(total=2000, cancelled=2000)
    assert not told.contacts, "no contact was looked at"
