"""Each projection by example: facts in, changes out."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import orjson
import pytest
from fastapi import Request
from msgspec import structs, to_builtins

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus, evolve_contact
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import (
    AnyCallFact,
    AnyCampaignFact,
    CallEnded,
    CampaignCreated,
    CampaignStopped,
    ContactsAdded,
    ContactsReplaced,
    Disposition,
    ImportFailed,
)
from campaigns.domain.values.rows import Row
from campaigns.records.cloud_event import events_of, id_of
from campaigns.records.entry import entry
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from campaigns.testing.sample_records import NOON
from projector.feeds import frames
from projector.projections import executions, lists, outbox
from projector.projections.changes import Changes, Execution
from projector.queries.contact_schemas import Outcome
from projector.queries.page import Page, page_of
from projector.queries.shapes import contact_shape, execution_shape, progress_shape
from tests.support.journal import Journal

ANN = Row(phone_number="+15551234567", name="Ann", variables={"name": "Ann", "company": "Acme"})


def folded(journal: Journal) -> tuple[Campaign, Contact, Changes]:
    """Fold a journal by hand: its campaign, contact 1, and what executions change."""
    campaign: Campaign | None = None
    contact, changes = Contact(1), Changes()
    for recorded in journal.records:
        for fact in recorded.facts:
            if not isinstance(fact, AnyCampaignFact):
                continue
            before = campaign.executions if campaign else 0
            call = (
                campaign.calls.get(fact.call_id)
                if campaign and isinstance(fact, AnyCallFact)
                else None
            )
            campaign = evolve(campaign, fact, recorded.position)
            if campaign is not None and isinstance(fact, AnyCallFact):
                if project := executions.PROJECTIONS.get(type(fact)):
                    project(changes, campaign, call, before, fact)
                if fact.contact_id == 1:
                    evolve_contact(contact, campaign, fact)
    assert campaign is not None
    return campaign, contact, changes


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.create(contacts=2)
    journal.start()
    return journal


def shape(journal: Journal) -> dict[str, object]:
    campaign, contact, _ = folded(journal)
    return contact_shape(campaign, contact, ANN, "api", "2026-03-01T12:00:00+00:00")


def test_a_contact_that_waits_for_a_retry_is_pending_and_says_when(journal: Journal) -> None:
    journal.call(1, Disposition.NO_ANSWER, retry_in=timedelta(minutes=30))
    found = shape(journal)
    assert (found["status"], found["attempts"]) == ("pending", 1)
    assert (found["last_outcome"], found["call_status"]) == ("no_answer", "no-answer")
    assert found["next_attempt_at"] == "2026-03-01T12:30:04+00:00"


def test_a_stop_shows_a_waiting_contact_as_cancelled(journal: Journal) -> None:
    journal.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    journal.stop()
    found = shape(journal)
    assert (found["status"], found["next_attempt_at"]) == ("cancelled", None)


def test_a_call_that_ends_after_the_stop_shows_how_it_ended(journal: Journal) -> None:
    call_id = journal.ask(1)
    journal.ring(call_id, 1)
    journal.stop()
    assert shape(journal)["status"] == "in_progress"
    journal.end(call_id, 1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    assert shape(journal)["status"] == "busy"


def test_an_unknown_outcome_shows_as_failed(journal: Journal) -> None:
    journal.call(1, Disposition.UNKNOWN)
    campaign, _, changes = folded(journal)
    found = shape(journal)
    assert (found["status"], found["error_message"]) == ("failed", "outcome unknown")
    (execution,) = changes.executions.values()
    assert execution_shape(campaign, execution, ANN)["error_message"] == "outcome unknown"


def test_a_late_ring_is_an_execution_of_its_own(journal: Journal) -> None:
    call_id = journal.call(1)
    journal.late(call_id, 1, 2)
    campaign, contact, changes = folded(journal)
    assert [(e.execution_id, e.status, e.error) for e in changes.executions.values()] == [
        (1, "completed", None),
        (2, "failed", "rang late"),
    ]
    assert (contact.status, contact.attempts) == (ContactStatus.COMPLETED, 2)
    assert campaign.executions == 2


def test_an_attempt_keeps_its_number_from_ring_to_end(journal: Journal) -> None:
    first, second = journal.ask(1), journal.ask(2)
    journal.ring(second, 2)
    journal.ring(first, 1)
    journal.end(first, 1)
    _, _, changes = folded(journal)
    assert {e.execution_id: e.contact_id for e in changes.executions.values()} == {1: 2, 2: 1}


def test_a_list_counts_by_one_change_whatever_its_rows() -> None:
    journal = Journal()
    journal.create(contacts=500)
    added, created = journal.records[0].facts
    assert isinstance(added, ContactsAdded)
    assert isinstance(created, CampaignCreated)
    changes = Changes()
    lists.project(changes, added, 3, 1)
    assert len(changes.rows) == 500
    lists.project(changes, created, 3, 2)
    assert len(changes.lists_met) == len(changes.lists_counted) == 1
    assert changes.lists_counted[0]["counted"] == lists.list_id(3, 1)


@pytest.mark.parametrize("kind", [CampaignStopped, ContactsReplaced])
def test_a_stop_and_a_replacing_import_change_no_contact(
    journal: Journal, kind: type[AnyCampaignFact]
) -> None:
    journal.call(1)
    journal.replace(2, 1)
    journal.stop()
    assert any(isinstance(fact, kind) for one in journal.records for fact in one.facts)
    campaign, _, changes = folded(journal)
    assert len(changes.contacts) == 0
    assert progress_shape(campaign, [])["cancelled_contacts"] == 1


def test_a_progress_frame_has_what_the_contract_shows(journal: Journal) -> None:
    """Flat and nested: contract 6.1 and 8.4."""
    journal.call(1)
    journal.call(2, Disposition.FAILED)
    campaign, _, _ = folded(journal)
    frame = frames.progress(campaign, journal.now)
    assert (frame["success_rate"], frame["data"]["success_rate"]) == (50.0, 50.0)
    for one in (frame, frames.completed(campaign, journal.now)):
        assert one["success_rate"] == one["data"]["success_rate"]
    for name in ("total_contacts", "completed_contacts", "failed_contacts", "pending_contacts",
                 "in_progress_contacts", "completion_percentage"):  # fmt: skip
        assert frame[name] is not None


@pytest.mark.parametrize("ended", list(Disposition))
def test_how_a_contact_ended_last_is_spelt_as_statuses_are(
    journal: Journal, ended: Disposition
) -> None:
    journal.call(1, ended)
    found = shape(journal)
    assert found["last_outcome"] == ended.value.replace("-", "_")
    assert found["last_outcome"] in get_args(Outcome)
    assert found["call_status"] == ended.value, "the carrier's word, as documented"


def test_events_are_numbered_by_partition_position_and_index(journal: Journal) -> None:
    ((*place, campaign_id, written),) = outbox.project(events_of(journal.records[0]))
    assert (place, campaign_id) == ([0, 1, 1], 1)
    event = orjson.loads(written)
    assert (event["id"], event["type"]) == ("0@1/1", "campaign-created.v1")
    assert id_of(written) == (0, 1, 1)


def test_an_events_data_is_what_was_recorded(journal: Journal) -> None:
    journal.call(1)
    ended: Recorded = journal.records[-1]
    ((*_, written),) = outbox.project(events_of(ended))
    (fact,) = ended.facts
    assert isinstance(fact, CallEnded)
    assert orjson.loads(written)["data"] == to_builtins(fact)


def test_a_list_is_not_parsed_again_for_events_that_it_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunk = ContactsAdded(import_id="x", first_row=1, rows=(ANN,))
    record = Record("x", NOON, "t", "t", "t", None, {chunk.stream: 0}, (chunk,))
    asked = list[Recorded]()
    monkeypatch.setattr(Recorded, "offered", property(asked.append))
    assert not list(outbox.project(events_of(entry(record, Partition(CAMPAIGN_RECORDS, 0), 1))))
    assert not asked


def queried(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode()})


async def test_skip_and_limit_win() -> None:
    asked = queried("page=3&per_page=10")
    assert await page_of(asked, 3, 10, None, None) == Page(3, 10, 20, 10)
    assert await page_of(asked, 3, 10, 5, None) == Page(1, 50, 5, 50, "limit", sized=False)
    assert await page_of(asked, 3, 10, 25, 10) == Page(3, 10, 25, 10, "limit")


async def test_a_size_that_is_the_default_is_named_all_the_same() -> None:
    assert (await page_of(queried("per_page=50"), 1, 50, None, None)).sized
    assert (await page_of(queried("limit=50"), 1, 50, None, 50)).sized
    assert not (await page_of(queried("page=2"), 2, 50, None, None)).sized


def test_an_attempt_of_an_unknown_contact_is_shown_without_a_number(journal: Journal) -> None:
    campaign, _, _ = folded(journal)
    execution = Execution(1, 99, "x", 1, 1, "failed", journal.now)
    assert execution_shape(campaign, execution, None)["contact_phone"] is None


def test_a_list_that_fails_in_the_batch_it_came_in_leaves_no_row() -> None:
    """Found by the simulation: what was stored depended on how batches fell."""
    changes = Changes()
    chunk = ContactsAdded(import_id="lost", first_row=1, rows=(ANN,))
    failure = ImportFailed(
        campaign_id=1, import_id="lost", number=1, reason="its server died", failed_at=NOON
    )
    lists.project(changes, chunk, partition=0, ordinal=1)
    kept = list(changes.rows)
    lists.project(changes, failure, partition=0, ordinal=2)
    assert len(kept) == 1
    assert not changes.rows
    assert len(changes.lists_dropped) == 1


@pytest.mark.parametrize(("name", "most"), [("n", frames.OVERVIEW_MAX), ("\u0001" * 200, 380)])
def test_an_overview_is_bounded_and_says_what_is_older(
    journal: Journal, name: str, most: int
) -> None:
    (campaign, _, _) = folded(journal)
    every = [
        replace(
            campaign,
            created=structs.replace(campaign.created, name=name, campaign_id=number),
        )
        for number in range(frames.OVERVIEW_MAX + 9, 0, -1)
    ]
    shape = frames.overview(every, NOON)
    shown = [one["campaign_id"] for one in shape["campaigns"]]
    assert shown == sorted(shown)
    assert shown[-1] == frames.OVERVIEW_MAX + 9
    assert most // 2 <= len(shown) <= most
    assert len(orjson.dumps(shape)) < frames.OVERVIEW_MAX_BYTES + 1_000
    assert shape["left_out"] == len(every) - len(shown)
    assert "left_out" not in frames.overview(every[:9], NOON)
