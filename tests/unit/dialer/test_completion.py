"""When a run is done, by example."""

from datetime import timedelta

import pytest

from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CampaignCompleted, Disposition
from campaigns.domain.moves import Status
from campaigns.domain.values.stream_names import campaign_stream, contacts_stream
from dialer.decisions.lifecycle import COMPLETE, CompleteCampaign, done
from tests.support.folded_journal import FoldedJournal


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.running(contacts=1)
    return told


def command(told: FoldedJournal) -> CompleteCampaign:
    return CompleteCampaign(1, told.now)


def test_a_run_is_done_when_every_contact_is(told: FoldedJournal) -> None:
    assert not done(told.campaign)
    told.call(1)
    assert done(told.campaign)
    assert COMPLETE.decide(told.campaign, command(told)) == (
        CampaignCompleted(campaign_id=1, run=1, completed_at=told.now),
    )


def test_a_call_under_way_is_waited_for(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    assert not done(told.campaign)
    told.ring(call_id, 1)
    assert not done(told.campaign)
    told.end(call_id, 1)
    assert done(told.campaign)


def test_a_retry_is_waited_for(told: FoldedJournal) -> None:
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    assert not done(told.campaign)
    told.call(1, Disposition.BUSY, attempt=2)
    assert done(told.campaign)


def test_a_paused_campaign_completes_too(told: FoldedJournal) -> None:
    call_id = told.ask(1)
    told.ring(call_id, 1)
    told.pause()
    told.end(call_id, 1)
    assert done(told.campaign)


def test_an_import_under_way_is_waited_for(told: FoldedJournal) -> None:
    told.pause()
    told.call(1)  # It was permitted before, and ends now.
    import_id = told.begin_import(10)
    assert not done(told.campaign)
    told.fail_import(import_id)
    assert done(told.campaign)


@pytest.mark.parametrize("status", ["draft", "cancelled", "completed"])
def test_a_campaign_that_has_no_run_does_not_complete(status: str) -> None:
    told = FoldedJournal()
    told.create(contacts=0)
    if status != "draft":
        told.start()
    if status == "cancelled":
        told.stop()
    if status == "completed":
        told.complete()
    assert told.campaign.status is Status(status)
    decision = COMPLETE.decide(told.campaign, command(told))
    assert decision == Rejected(Reason.WRONG_STATUS, "something is left to do")


def test_a_campaign_that_is_not_there_does_not_complete(told: FoldedJournal) -> None:
    decision = COMPLETE.decide(None, command(told))
    assert decision == Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found")


def test_contacts_added_at_the_last_moment_guard_it(told: FoldedJournal) -> None:
    assert COMPLETE.streams(command(told)) == (campaign_stream(1), contacts_stream(1))
    told.call(1)
    told.append(1)
    assert not done(told.campaign)
    told.append(0)
    told.call(2)
    assert done(told.campaign)
