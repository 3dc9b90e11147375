"""Update, delete, and commands that rest on a version: each decider by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignDeleted, CampaignPaused, CampaignUpdated
from campaigns.domain.moves import Status
from campaigns.domain.values.stream_names import campaign_stream
from command_api.commands.delete import DELETE
from command_api.commands.lifecycle import MoveCampaign
from command_api.commands.pause import PAUSE
from command_api.commands.start import RESUME, START
from command_api.commands.stop import STOP
from command_api.commands.update import UPDATE, UpdateCampaign
from command_api.http.options import versions
from tests.support.folded_journal import FoldedJournal

Move = Decider[Campaigns, MoveCampaign, Campaign | None]


@pytest.fixture
def told() -> FoldedJournal:
    told = FoldedJournal()
    told.create()
    return told


def updated(told: FoldedJournal, organization_id: int = 1, **given: Any) -> Decision:
    settings = given.pop("settings", {})
    command = UpdateCampaign(1, organization_id, told.now, texts=given, settings=settings)
    return UPDATE.decide(UPDATE.read(told.campaigns, command), command)


def fact_of(decision: Decision) -> CampaignUpdated:
    assert isinstance(decision, tuple), decision
    (fact,) = decision
    assert isinstance(fact, CampaignUpdated)
    assert fact.stream == campaign_stream(1)
    return fact


def reason_of(decision: Decision) -> Reason | None:
    return decision.reason if isinstance(decision, Rejected) else None


def test_an_update_records_what_differs_and_nothing_else(told: FoldedJournal) -> None:
    assert updated(told) == UNCHANGED
    assert updated(told, name=told.campaign.created.name) == UNCHANGED
    fact = fact_of(updated(told, name="New", fallback_values={}, settings={"max_attempts": 1}))
    assert (fact.name, fact.fallback_values, fact.description) == ("New", None, None)
    assert fact.settings == replace(told.campaign.settings, max_attempts=1)


def test_what_was_updated_is_so(told: FoldedJournal) -> None:
    before = told.campaign.settings
    told.write(
        fact_of(
            updated(
                told,
                name="New",
                description="Better",
                variable_mappings={"a": "b"},
                available_variables=("b",),
                settings={"calls_per_minute": 7},
            )
        )
    )
    campaign = told.campaign
    assert (campaign.created.name, campaign.created.description) == ("New", "Better")
    assert campaign.settings == replace(before, calls_per_minute=7)
    assert (campaign.variable_mappings, campaign.available_variables) == ({"a": "b"}, ("b",))
    assert campaign.created.assistant_id == 123, "what was not named stays"
    assert updated(told, variable_mappings={"a": "b"}, available_variables=("b",)) == UNCHANGED


def test_only_drafts_and_paused_campaigns_are_updated(told: FoldedJournal) -> None:
    for status in Status:
        told.campaign.status = status
        allowed = status in (Status.DRAFT, Status.PAUSED)
        expected = None if allowed else Reason.WRONG_STATUS
        assert reason_of(updated(told, name="New")) is expected, status
        assert reason_of(updated(told)) is expected, "an empty one says so too"


def command(told: FoldedJournal, **more: Any) -> MoveCampaign:
    return MoveCampaign(1, more.pop("organization_id", 1), told.now, "because", **more)


def decided(told: FoldedJournal, move: Move, **more: Any) -> Decision:
    asked = command(told, **more)
    return move.decide(move.read(told.campaigns, asked), asked)


def test_a_campaign_that_does_not_run_is_deleted(told: FoldedJournal) -> None:
    fact = CampaignDeleted(campaign_id=1, reason="because", deleted_at=told.now)
    assert decided(told, DELETE) == (fact,)
    told.start()
    assert reason_of(decided(told, DELETE)) is Reason.WRONG_STATUS
    told.pause()
    assert isinstance(decided(told, DELETE), tuple)


def test_a_deleted_campaign_is_there_for_no_command(told: FoldedJournal) -> None:
    told.start()
    told.pause()
    told.write(CampaignDeleted(campaign_id=1, reason=None, deleted_at=told.now))
    assert (told.campaign.status, told.campaign.counters.pending) == (Status.CANCELLED, 0)
    for move in (START, RESUME, PAUSE, STOP, DELETE):
        assert reason_of(decided(told, move)) is Reason.UNKNOWN_CAMPAIGN
    assert reason_of(updated(told, name="New")) is Reason.UNKNOWN_CAMPAIGN


def test_another_organizations_campaign_is_there_for_no_command(told: FoldedJournal) -> None:
    assert reason_of(updated(told, organization_id=2, name="New")) is Reason.UNKNOWN_CAMPAIGN
    assert reason_of(decided(told, DELETE, organization_id=2)) is Reason.UNKNOWN_CAMPAIGN


def test_a_delete_takes_back_what_a_finished_run_said_in_nothing(told: FoldedJournal) -> None:
    told.start()
    told.call(1)
    told.call(2)
    told.call(3)
    told.complete()
    before = told.campaign.counters
    told.write(CampaignDeleted(campaign_id=1, reason=None, deleted_at=told.now))
    assert (told.campaign.status, told.campaign.counters) == (Status.COMPLETED, before)


def test_a_command_that_rests_on_another_version_loses_and_hears_to_whom(
    told: FoldedJournal,
) -> None:
    told.start()
    assert told.campaign.version == 2
    assert isinstance(decided(told, PAUSE, if_match=frozenset({1, 2})), tuple)
    told.write(CampaignPaused(campaign_id=1, reason=None, paused_at=told.now))
    no = decided(told, STOP, if_match=frozenset({2}))
    assert isinstance(no, Rejected)
    assert no.reason is Reason.VERSION_LOST
    position = f"0@{told.records[-1].position}"
    winner = {"type": "campaign-paused.v1", "position": position, "actor": "test"}
    assert no.more == {"version": 3, "changed_by": winner}


def test_calls_and_lists_leave_the_version_alone(told: FoldedJournal) -> None:
    told.start()
    told.call(1)
    told.append(2)
    assert told.campaign.version == 2


def test_versions_are_read_as_if_match_writes_them() -> None:
    assert versions([]) is None
    assert versions([" * "]) is None
    assert versions(['"3", "4"']) == versions(['"3"', '"4"']) == frozenset({3, 4})
    for none_of_ours in ('W/"3"', "3", '"x"', ""):
        assert versions([none_of_ours]) == frozenset(), none_of_ours
