"""Pause, resume, start and stop: each decider by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Reason, Rejected
from campaigns.domain.facts import (
    AnyFact,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    CampaignType,
    Disposition,
)
from campaigns.domain.values.stream_names import campaign_stream, contacts_stream
from command_api.commands.lifecycle import MoveCampaign
from command_api.commands.pause import PAUSE
from command_api.commands.start import RESUME, START
from command_api.commands.stop import STOP
from tests.support.folded_journal import FoldedJournal

Move = Decider[Campaigns, MoveCampaign, Campaign | None]
MOVES: dict[str, Move] = {"pause": PAUSE, "resume": RESUME, "start": START, "stop": STOP}


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.create()
    return told


def decided(
    told: FoldedJournal, move: Move, *, organization_id: int = 1, campaign_id: int = 1
) -> Any:
    command = MoveCampaign(campaign_id, organization_id, told.now, "because")
    return move.decide(move.read(told.campaigns, command), command)


def fact_of(told: FoldedJournal, move: Move) -> AnyFact:
    decision = decided(told, move)
    assert isinstance(decision, tuple), decision
    (fact,) = decision
    assert fact.stream == campaign_stream(1)
    return fact  # type: ignore[no-any-return]  # A tuple of facts.


def reason_of(told: FoldedJournal, move: Move) -> Reason | None:
    decision = decided(told, move)
    return decision.reason if isinstance(decision, Rejected) else None


def test_a_running_campaign_is_paused_with_its_reason(told: FoldedJournal) -> None:
    told.start()
    assert fact_of(told, PAUSE) == CampaignPaused(
        campaign_id=1, reason="because", paused_at=told.now
    )


def test_a_pause_of_what_does_not_run_says_so_and_paused_already_has_its_own_reason(
    told: FoldedJournal,
) -> None:
    assert reason_of(told, PAUSE) is Reason.NOT_RUNNING
    told.start()
    told.pause()
    assert reason_of(told, PAUSE) is Reason.ALREADY_PAUSED
    told.stop()
    assert reason_of(told, PAUSE) is Reason.NOT_RUNNING


def test_a_draft_is_started_and_a_paused_campaign_resumed(told: FoldedJournal) -> None:
    assert fact_of(told, START) == CampaignStarted(campaign_id=1, run=1, started_at=told.now)
    told.start()
    assert reason_of(told, START) is Reason.ALREADY_RUNNING
    told.pause()
    resumed = CampaignResumed(campaign_id=1, reason="because", resumed_at=told.now)
    assert fact_of(told, START) == fact_of(told, RESUME) == resumed


def test_only_a_paused_campaign_is_resumed(told: FoldedJournal) -> None:
    assert reason_of(told, RESUME) is Reason.WRONG_STATUS
    told.start()
    assert reason_of(told, RESUME) is Reason.WRONG_STATUS


@pytest.mark.parametrize("paused", [False, True])
def test_a_running_or_paused_campaign_is_stopped(told: FoldedJournal, paused: bool) -> None:
    told.start()
    if paused:
        told.pause()
    assert fact_of(told, STOP) == CampaignStopped(
        campaign_id=1, reason="because", stopped_at=told.now
    )


def test_what_is_over_stays_so(told: FoldedJournal) -> None:
    told.start()
    told.stop()
    assert all(reason_of(told, move) for move in MOVES.values())
    other = FoldedJournal()
    other.running()
    other.complete()
    assert reason_of(other, START) is Reason.ALL_PROCESSED
    assert all(reason_of(other, move) for move in MOVES.values())


def test_who_is_called_or_waits_for_a_retry_is_left(told: FoldedJournal) -> None:
    told.start()
    calls = [told.ask(contact_id) for contact_id in (1, 2, 3)]
    told.pause()
    for contact_id, call_id in enumerate(calls, start=1):
        assert reason_of(told, START) is None
        told.ring(call_id, contact_id)
        told.end(call_id, contact_id, Disposition.VOICEMAIL)
    assert reason_of(told, START) is reason_of(told, RESUME) is Reason.ALL_PROCESSED


def test_nobody_is_called_without_contacts() -> None:
    told = FoldedJournal()
    told.create(contacts=0)
    assert reason_of(told, START) is Reason.NO_CONTACTS
    told.append(1)
    assert reason_of(told, START) is None


def test_nobody_is_called_while_an_import_is_in_progress(told: FoldedJournal) -> None:
    import_id = told.begin_import(10)
    assert reason_of(told, START) is Reason.IMPORT_IN_PROGRESS
    told.fail_import(import_id)
    assert reason_of(told, START) is None


@pytest.mark.parametrize("kind", [CampaignType.SMS, CampaignType.MIXED])
def test_messages_are_not_started(told: FoldedJournal, kind: CampaignType) -> None:
    created = told.campaign.created
    told.campaign.created = replace(created, campaign_type=kind)
    assert reason_of(told, START) is Reason.MESSAGES_UNSUPPORTED


@pytest.mark.parametrize("move", MOVES)
def test_a_campaign_of_others_or_of_nobody_is_not_there(told: FoldedJournal, move: str) -> None:
    told.start()
    expected = Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found")
    assert decided(told, MOVES[move], organization_id=2) == expected
    assert decided(told, MOVES[move], campaign_id=2) == expected


def test_a_start_rests_on_the_contacts_too_and_a_pause_on_nothing_else(told: FoldedJournal) -> None:
    command = MoveCampaign(1, 1, told.now)
    for move in (START, RESUME):
        assert move.streams(command) == (campaign_stream(1), contacts_stream(1))
    for move in (PAUSE, STOP):
        assert move.streams(command) == (campaign_stream(1),)
