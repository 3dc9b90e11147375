"""Another run: the decider by example, and what it makes of contacts."""

from typing import Any

import pytest
from fastapi import HTTPException

from campaigns.domain.campaign import Campaign, Counters
from campaigns.domain.contact import ContactStatus
from campaigns.domain.decider import STALE, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignRearmed, Disposition, Selection
from campaigns.domain.moves import Status
from campaigns.domain.values.stream_names import campaign_stream
from command_api.commands.re_execute import RE_EXECUTE, Named, ReExecute, basis_of
from command_api.http.re_execution_routes import selected
from tests.support.folded_journal import FoldedJournal


@pytest.fixture
def told() -> FoldedJournal:
    """Tell of a finished run: 1 was reached, 2 was busy, 3 did not answer."""
    told = FoldedJournal()
    told.running(contacts=3)
    told.call(1)
    told.call(2, Disposition.BUSY)
    told.call(3, Disposition.NO_ANSWER)
    told.complete()
    return told


def decided(told: FoldedJournal, selection: Selection = Selection.ALL, **more: Any) -> Decision:
    command = ReExecute(1, 1, told.now, selection=selection, **more)
    return RE_EXECUTE.decide(RE_EXECUTE.read(told.campaigns, command), command)


def fact_of(decision: Decision) -> CampaignRearmed:
    assert isinstance(decision, tuple), decision
    (fact,) = decision
    assert isinstance(fact, CampaignRearmed)
    assert fact.stream == campaign_stream(1)
    return fact


def named(campaign: Campaign, *contact_ids: int, untouched: int = 0) -> Named:
    return Named(contact_ids, untouched, basis_of(campaign))


def statuses(told: FoldedJournal) -> list[ContactStatus]:
    return [told.contact(n).status for n in range(1, told.campaign.contacts_end + 1)]


def test_all_contacts_are_pending_again_and_all_numbers_start_over(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told)))
    campaign = told.campaign
    assert (campaign.status, campaign.run, campaign.epoch) == (Status.DRAFT, 1, 1)
    assert campaign.counters == Counters(total=3, pending=3)
    assert (campaign.started_at, campaign.completed_at) == (None, None)
    assert (campaign.ended, campaign.answered, campaign.talk_s) == (0, 0, 0.0)
    assert campaign.executions == 3, "the history is kept"
    assert statuses(told) == ["pending"] * 3
    assert [told.contact(n).attempts for n in (1, 2, 3)] == [0, 0, 0]


def test_failed_only_takes_who_was_not_reached_and_skips_the_others(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told, Selection.FAILED_ONLY)))
    assert statuses(told) == ["skipped", "pending", "pending"]
    assert told.campaign.counters == Counters(total=2, pending=2, skipped=1)


def test_named_contacts_are_taken_whatever_became_of_them(told: FoldedJournal) -> None:
    fact = fact_of(decided(told, Selection.CONTACTS, named=named(told.campaign, 1)))
    assert (fact.contact_ids, fact.contacts, fact.untouched) == ((1,), 1, 0)
    told.write(fact)
    assert statuses(told) == ["pending", "skipped", "skipped"]
    assert told.campaign.counters == Counters(total=1, pending=1, skipped=2)


def test_who_was_skipped_may_be_taken_the_next_time(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told, Selection.FAILED_ONLY)))
    told.start(run=2)
    told.stop()
    told.write(fact_of(decided(told)))
    assert statuses(told) == ["pending"] * 3


def test_who_was_cancelled_did_not_fail(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told)))
    told.start(run=2)
    told.stop()
    assert decided(told, Selection.FAILED_ONLY) == Rejected(
        Reason.NO_CONTACTS, "No contacts match the selection"
    )


def test_a_contact_that_came_later_is_pending(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told, Selection.FAILED_ONLY)))
    told.append(1)
    assert statuses(told) == ["skipped", "pending", "pending", "pending"]
    assert told.campaign.counters == Counters(total=3, pending=3, skipped=1, untouched=1)


def test_an_import_replaces_nobody_who_was_attempted_in_an_earlier_run(told: FoldedJournal) -> None:
    told.write(fact_of(decided(told)))
    told.replace(through=3, rows=1)
    assert told.campaign.counters == Counters(total=4, pending=4, untouched=1)


def test_whoever_keeps_changing_is_read_again(told: FoldedJournal) -> None:
    stale = named(told.campaign, 1)
    told.campaign.executions += 1
    assert decided(told, Selection.CONTACTS, named=stale) == STALE
    assert decided(told, Selection.CONTACTS) == STALE


def test_only_what_is_over_is_run_again(told: FoldedJournal) -> None:
    for status in Status:
        told.campaign.status = status
        over = status in (Status.COMPLETED, Status.CANCELLED, Status.FAILED)
        assert isinstance(decided(told), tuple) == over, status
    told.campaign.status = Status.RUNNING
    assert decided(told) == Rejected(
        Reason.WRONG_STATUS, "Campaign cannot be re-executed from status 'running'"
    )


def test_calls_of_a_stopped_run_are_waited_for() -> None:
    told = FoldedJournal()
    told.running(contacts=1)
    call_id = told.ask(1)
    told.ring(call_id, 1)
    told.stop()
    assert decided(told) == Rejected(Reason.WRONG_STATUS, "Calls are still in progress")
    told.end(call_id, 1)
    assert isinstance(decided(told), tuple)


def test_a_ring_of_an_earlier_run_that_comes_to_light_late_changes_nobody() -> None:
    told = FoldedJournal()
    told.running(contacts=1)
    call_id = told.ask(1)
    told.give_back(call_id)
    told.stop()
    told.write(fact_of(decided(told)))
    before = told.campaign.counters
    told.rang_late(call_id, 1, 1, run=1)
    assert told.campaign.counters == before
    assert (told.contact(1).attempts, told.campaign.executions) == (0, 1)


def test_a_selection_is_a_word_or_ids() -> None:
    assert selected("all") == (Selection.ALL, ())
    assert selected("failed_only") == (Selection.FAILED_ONLY, ())
    assert selected([3, 1]) == (Selection.CONTACTS, [3, 1])
    for unusable in (None, "some", [], ["1"], [True], [0], [1.5], {"all": 1}, 3):
        with pytest.raises(HTTPException, match="Invalid contact_selection") as no:
            selected(unusable)
        assert no.value.status_code == 400
