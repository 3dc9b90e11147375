"""One campaign's state, folded fact by fact, by example. Epochs: test_campaign_epochs.py."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from msgspec.structs import replace

from campaigns.domain.campaign import Counters, dump, load
from campaigns.domain.contact import ABANDONED_REST, ContactStatus
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import CampaignPaused, CampaignStarted, Disposition
from campaigns.domain.moves import MOVES, Move, Status
from campaigns.testing.sample_records import NOON
from tests.support.folded_journal import FoldedJournal


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.running()
    return told


def test_a_campaign_begins_as_a_draft_of_its_contacts() -> None:
    told = FoldedJournal()
    told.create(contacts=3)
    campaign = told.campaign
    assert (campaign.status, campaign.run, campaign.contacts_end) == (Status.DRAFT, 0, 3)
    assert campaign.counters == Counters(total=3, pending=3, untouched=3)


def test_facts_of_a_campaign_that_was_never_created_pass() -> None:
    fact = CampaignPaused(campaign_id=9, reason=None, paused_at=NOON)
    assert evolve(None, fact, 1) is None


def test_a_campaign_is_created_once(told: FoldedJournal) -> None:
    before = dump(told.campaign)
    told.create(contacts=7)
    assert dump(told.campaign) == before


def test_a_life(told: FoldedJournal) -> None:
    campaign = told.campaign
    assert (campaign.status, campaign.run) == (Status.RUNNING, 1)
    assert campaign.started_at is not None
    told.pause("lunch")
    assert (campaign.status, campaign.pause_reason) == (Status.PAUSED, "lunch")
    assert campaign.paused_at == campaign.updated_at
    told.resume()
    assert (campaign.status, campaign.pause_reason, campaign.paused_at) == ("running", None, None)
    told.complete()
    assert (campaign.status, campaign.completed_at) == (Status.COMPLETED, campaign.updated_at)


def test_a_new_run_begins_unfinished(told: FoldedJournal) -> None:
    told.campaign.strict = False
    told.complete()
    told.write(CampaignStarted(campaign_id=1, run=2, started_at=told.now))
    campaign = told.campaign
    assert (campaign.run, campaign.completed_at, campaign.strict) == (2, None, True)


# From which statuses each move is legal. Source: contract 2.
LEGAL = {
    "start": "draft scheduled paused",
    "pause": "running",
    "resume": "paused",
    "stop": "running paused scheduled",
    "complete": "running paused",
    "schedule": "draft scheduled",
    "unschedule": "scheduled",
    "come due": "scheduled",
    "end a run": "running paused",
    "fail": "scheduled",
    "re-execute": "completed cancelled failed",
    "update": "draft paused",
    "delete": "draft scheduled paused completed cancelled failed",
    "import": "draft scheduled paused",
    "append": "draft scheduled running paused",
}


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("status", list(Status))
def test_moves_are_legal_as_the_contract_says(
    told: FoldedJournal, move: Move, status: Status
) -> None:
    assert set(MOVES) == set(Move) == set(LEGAL)
    told.campaign.status = status
    assert told.campaign.allows(move) == (status in LEGAL[move].split())


def test_a_permission_is_open_until_it_is_resolved(told: FoldedJournal) -> None:
    campaign = told.campaign
    call_id = told.ask(1)
    (call,) = campaign.permissions()
    assert (call.call_id, call.contact_id, call.position) == (call_id, 1, len(told.records))
    assert (call.lease_s, call.carrier_timeout_s) == (2.0, 5.0)
    assert campaign.counters == Counters(total=3, pending=2, in_progress=1, untouched=2)
    told.ring(call_id, 1)
    assert not campaign.permissions()
    assert [call.call_id for call in campaign.calling()] == [call_id]
    told.end(call_id, 1)
    assert not campaign.calls
    assert campaign.counters == Counters(total=3, pending=2, completed=1, untouched=2)


def test_an_abandoned_permission_leaves_no_trace_but_a_rest(told: FoldedJournal) -> None:
    before = asdict(told.campaign.counters)
    call_id, abandoned_at = told.ask(1), told.now
    told.give_back(call_id)
    contact = told.contact(1)
    assert asdict(told.campaign.counters) == before
    assert (contact.status, contact.attempts, contact.call_id) == (ContactStatus.PENDING, 0, None)
    assert contact.due_at == abandoned_at + ABANDONED_REST
    assert told.campaign.executions == 0, "it leaves no execution"


@pytest.mark.parametrize(
    ("how", "status", "counter"),
    [
        (Disposition.ANSWERED, "completed", "completed"),
        (Disposition.BUSY, "busy", "failed"),
        (Disposition.NO_ANSWER, "no_answer", "failed"),
        (Disposition.VOICEMAIL, "voicemail", "failed"),
        (Disposition.FAILED, "failed", "failed"),
        (Disposition.UNKNOWN, "failed", "failed"),
    ],
)
def test_an_attempt_ends_for_good_as_its_disposition_says(
    told: FoldedJournal, how: Disposition, status: str, counter: str
) -> None:
    told.call(1, how)
    contact = told.contact(1)
    assert (contact.status, contact.attempts, contact.last_outcome) == (status, 1, how)
    assert getattr(told.campaign.counters, counter) == 1
    assert told.campaign.counters.pending == told.campaign.counters.untouched == 2


def test_a_contact_that_waits_for_a_retry_is_pending_and_was_touched(told: FoldedJournal) -> None:
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    contact = told.contact(1)
    assert (contact.status, contact.attempts) == (ContactStatus.PENDING, 1)
    assert contact.due_at == (contact.ended_at or told.now) + timedelta(minutes=30)
    assert told.campaign.counters == Counters(total=3, pending=3, untouched=2)


def test_executions_are_numbered_as_they_start(told: FoldedJournal) -> None:
    first, second = told.ask(1), told.ask(2)
    told.ring(second, 2)
    told.ring(first, 1)
    found = {call.contact_id: call.execution for call in told.campaign.calling()}
    assert found == {2: 1, 1: 2}
    told.end(told.ask(3), 3, Disposition.FAILED)
    assert told.campaign.executions == 3, "what never rang has an execution too"


def test_talk_and_answers_are_summed(told: FoldedJournal) -> None:
    told.call(1)
    told.call(2, Disposition.BUSY)
    campaign = told.campaign
    assert (campaign.ended, campaign.answered, campaign.talk_s) == (2, 1, 45.0)


def test_the_same_resolution_twice_counts_once(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.ring(call_id, 1)
    told.ring(call_id, 1)
    told.end(call_id, 1)
    before = dump(told.campaign)
    told.end(call_id, 1)
    told.ring(call_id, 1)
    assert dump(told.campaign) == before
    assert told.contact(1).attempts == 1


def test_one_carrier_that_cannot_refuse_late_rings_spoils_the_guarantee(
    told: FoldedJournal,
) -> None:
    assert told.campaign.strict
    told.ask(1)
    assert told.campaign.strict
    (recorded,) = told.records[-1:]
    (fact,) = recorded.facts
    cannot = {"contact_id": 2, "call_id": "x", "refuses_late": False}
    told.write(replace(fact, **cannot), record_id="x")
    told.ask(3)
    assert not told.campaign.strict


def test_what_was_permitted_before_a_pause_and_given_back_is_counted_until_the_next(
    told: FoldedJournal,
) -> None:
    calls = [told.ask(contact_id) for contact_id in (1, 2)]
    told.give_back(told.ask(3))
    told.pause()
    assert told.campaign.abandoned == 0, "before the pause"
    told.give_back(calls[0])
    told.ring(calls[1], 2)
    assert told.campaign.abandoned == 1
    told.resume()
    told.give_back(told.ask(3))
    assert told.campaign.abandoned == 1, "behind the pause"
    told.pause()
    assert (told.campaign.abandoned, told.campaign.halted_position) == (0, len(told.records))


def test_a_late_ring_spends_an_attempt_and_changes_nothing_else(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.give_back(call_id)
    told.rang_late(call_id, 1, 1)
    contact, counters = told.contact(1), told.campaign.counters
    assert (contact.status, contact.attempts) == (ContactStatus.PENDING, 1)
    assert counters == Counters(total=3, pending=3, untouched=2)
    assert (told.campaign.executions, told.campaign.late) == (1, {1})
    told.complete()
    told.rearm()
    assert (told.campaign.late_calls, told.campaign.late) == (1, set()), "a counter never falls"


def test_a_late_ring_that_was_the_last_attempt_ends_the_contact(told: FoldedJournal) -> None:
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=5))
    told.call(1, Disposition.BUSY, attempt=2, retry_in=timedelta(minutes=5))
    call_id = told.ask(1, attempt=3)
    told.give_back(call_id)
    told.rang_late(call_id, 1, 3)
    contact = told.contact(1)
    assert (contact.status, contact.error) == (ContactStatus.FAILED, "rang late")
    assert told.campaign.counters == Counters(total=3, pending=2, failed=1, untouched=2)


def test_a_checkpoint_holds_all_of_it(told: FoldedJournal) -> None:
    told.call(1)
    told.ring(told.ask(2), 2)
    told.ask(3)
    told.pause("lunch")
    told.begin_import(5)
    assert load(dump(told.campaign), 1) == told.campaign
