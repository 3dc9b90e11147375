"""Every query over HTTP, on a log in memory that the test writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from burki.models.campaign import Campaign as SdkCampaign
from fastapi import FastAPI
from pydantic import SecretStr

from campaigns.domain.api_keys import key_hash
from campaigns.domain.facts import ApiKeyCreated, Disposition, ImportStarted
from campaigns.http.edge import install
from campaigns.http.size_limits import Limits
from campaigns.log.port import EventLog
from campaigns.part import Part
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import Partition
from projector.service import Projector
from projector.settings import ProjectorSettings
from tests.support.journal import Journal

ALL = "/api/v1/campaigns"
ONE = "/api/v1/campaigns/1"
SETTINGS = ProjectorSettings(
    api_key=SecretStr("one"), api_keys=SecretStr("two:2"), fresh_s=2.0, database_url=None
)


@contextlib.asynccontextmanager
async def serving(log: EventLog, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a projector, and a client of organization 1."""
    async with serving_projector(log, folder) as (_, client):
        yield client


@contextlib.asynccontextmanager
async def serving_projector(
    log: EventLog, folder: Path
) -> AsyncIterator[tuple[Projector, httpx.AsyncClient]]:
    """Run a projector, and a client of organization 1; yield both."""
    projector = Projector(log, SystemClock(), SETTINGS, folder, None)
    part: Part = projector
    app = FastAPI()
    install(app, Limits(1000, 1000))
    for router in part.routers():
        app.include_router(router)
    await part.open()
    running = asyncio.create_task(part.run())
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": "Bearer one"}
    )
    async with client:
        yield projector, client
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await part.close()


@pytest.fixture
def journal() -> Journal:
    return Journal(partitions=2)


@pytest.fixture
async def client(journal: Journal, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(journal.log, tmp_path) as client:
        yield client


async def got(client: httpx.AsyncClient, path: str, **params: str | int) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


async def statuses(client: httpx.AsyncClient, **params: str | int) -> dict[int, str]:
    found = await got(client, f"{ONE}/contacts", **params)
    assert found["total"] == len(found["items"])
    return {contact["id"]: contact["status"] for contact in found["items"]}


async def test_a_get_after_an_append_shows_it(client: httpx.AsyncClient, journal: Journal) -> None:
    for turn in range(20):
        journal.create(turn + 1, contacts=1)
        answer = await client.get(f"{ALL}/{turn + 1}")
        assert answer.status_code == 200
        position = sum(one.partition.number == (turn + 1) % 2 for one in journal.records)
        assert answer.headers["Dialgate-Position"] == f"{(turn + 1) % 2}@{position}"


async def test_an_eventual_get_does_not_ask_the_log(
    client: httpx.AsyncClient, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.create()
    await got(client, ONE)

    async def away(_: Collection[Partition]) -> Mapping[Partition, int]:
        raise LogUnavailableError("away")

    monkeypatch.setattr(journal.log, "ends", away)
    assert (await got(client, ONE, consistency="eventual"))["id"] == 1
    refused = await client.get(ONE)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["may_still_take_effect"] is False


async def test_a_query_that_cannot_be_fresh_is_503(
    client: httpx.AsyncClient, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.create()

    async def ahead(wanted: Collection[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(wanted, 10_000)

    monkeypatch.setattr(journal.log, "ends", ahead)
    assert (await client.get(ONE)).status_code == 503


async def test_a_campaign_is_what_the_sdk_takes(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    journal.create(contacts=3)
    journal.start()
    found = await got(client, ONE)
    assert (found["status"], found["total_contacts"]) == ("running", 3)
    assert SdkCampaign.model_validate(found).organization_id == 1


async def test_who_may_see_what(client: httpx.AsyncClient, journal: Journal) -> None:
    journal.create(2, organization_id=2)
    assert (await client.get(f"{ALL}/2")).status_code == 403
    for path in ("contacts", "executions", "progress", "schedule", "imports/1"):
        assert (await client.get(f"{ALL}/2/{path}")).status_code == 404
        assert (await client.get(f"{ALL}/77/{path}")).status_code == 404
    unknown = await client.get(f"{ALL}/77")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Campaign not found"})
    nobody = await client.get(f"{ALL}/2", headers={"Authorization": "Bearer x"})
    assert (nobody.status_code, nobody.json()) == (401, {"detail": "Invalid or missing API key"})
    other = await client.get(f"{ALL}/2", headers={"Authorization": "Bearer two"})
    assert other.status_code == 200
    assert (await client.get(f"{ALL}/x")).status_code == 422


async def test_a_key_of_just_now_is_known(client: httpx.AsyncClient, journal: Journal) -> None:
    journal.create(2, organization_id=9)
    journal.write(
        ApiKeyCreated(
            organization_id=9, key_hash=key_hash("new"), key_prefix="n", created_at=journal.now
        )
    )
    answer = await client.get(f"{ALL}/2", headers={"Authorization": "Bearer new"})
    assert answer.status_code == 200


async def test_the_list_is_filtered_and_paged_both_ways(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    for campaign_id in range(1, 8):
        journal.create(campaign_id, contacts=1, name=f"Straße {campaign_id}")
    journal.create(8, organization_id=2)
    journal.start(3)
    found = await got(client, ALL)
    assert [one["id"] for one in found["items"]] == [7, 6, 5, 4, 3, 2, 1]
    assert found["campaigns"] == found["items"]
    assert found["items"][0]["metrics"]["success_rate"] == 0
    assert await got(client, f"{ALL}/") == found
    paged = await got(client, ALL, page=2, per_page=3)
    assert [one["id"] for one in paged["items"]] == [4, 3, 2]
    assert paged["pagination"] == {
        "page": 2, "per_page": 3, "total_items": 7, "total_pages": 3,
        "has_next": True, "has_prev": True,
    }  # fmt: skip
    skipped = await got(client, ALL, page=9, skip=5, limit=50)
    assert [one["id"] for one in skipped["items"]] == [2, 1]
    assert (skipped["total"], skipped["skip"], skipped["limit"]) == (7, 5, 50)
    assert [one["id"] for one in (await got(client, ALL, status="running"))["items"]] == [3]
    assert (await got(client, ALL, search="STRASSE 4"))["items"][0]["id"] == 4
    assert (await got(client, ALL, search="%"))["total"] == 0
    assert (await got(client, ALL, campaign_type="sms"))["total"] == 0
    assert (await got(client, ALL, assistant_id=123))["total"] == 7
    assert (await got(client, ALL, page=2**52, per_page=1000))["items"] == []
    assert (await client.get(ALL, params={"status": "odd"})).status_code == 400
    for odd in ({"per_page": 1001}, {"page": 0}, {"skip": -1}, {"limit": 1001}, {"limit": 0}):
        assert (await client.get(ALL, params=odd)).status_code == 422


async def test_heads_are_answered_like_gets(client: httpx.AsyncClient, journal: Journal) -> None:
    journal.create()
    paths = (ALL, f"{ALL}/", ONE, f"{ONE}/contacts", f"{ONE}/executions", f"{ONE}/progress")
    for path in paths:
        answer = await client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_contacts_are_listed_with_what_became_of_them(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    journal.create(contacts=5)
    journal.start()
    call_id = journal.call(2)
    journal.call(3, Disposition.BUSY, retry_in=timedelta(minutes=30))
    journal.call(4, Disposition.UNKNOWN)
    journal.ask(5)
    assert await statuses(client) == {
        1: "pending", 2: "completed", 3: "pending", 4: "failed", 5: "in_progress",
    }  # fmt: skip
    assert list(await statuses(client, status="pending")) == [1, 3]
    assert list(await statuses(client, status="failed")) == [4]
    assert list(await statuses(client, status="cancelled")) == []
    assert (await client.get(f"{ONE}/contacts", params={"status": "odd"})).status_code == 400
    _, done, waiting, lost, _ = (await got(client, f"{ONE}/contacts"))["contacts"]
    assert done["call_sid"] == call_id
    assert (done["call_duration"], done["call_status"]) == (45, "answered")
    assert done["contact_data"]["variable_values"] == {"name": "C2"}
    assert done["completed_at"] == done["created_at"].replace("12:00:00", "12:00:04")
    assert (waiting["attempts"], waiting["last_outcome"]) == (1, "busy")
    assert waiting["next_attempt_at"] == "2026-03-01T12:30:07+00:00"
    assert lost["error_message"] == "outcome unknown"
    page = await got(client, f"{ONE}/contacts", skip=1, limit=2)
    assert ([one["id"] for one in page["items"]], page["total"]) == ([2, 3], 5)


async def test_a_stop_cancels_who_is_pending_without_touching_them(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    journal.create(contacts=4)
    journal.start()
    journal.call(1)
    journal.call(2, Disposition.BUSY, retry_in=timedelta(minutes=30))
    open_call = journal.ask(3)
    journal.stop()
    assert await statuses(client, status="cancelled") == {2: "cancelled", 4: "cancelled"}
    assert await statuses(client, status="pending") == {}
    assert (await statuses(client))[3] == "in_progress"
    journal.abandon(open_call, 3)
    assert list(await statuses(client, status="cancelled")) == [2, 3, 4]
    progress = await got(client, f"{ONE}/progress")
    assert progress["progress"]["cancelled"] == progress["cancelled_contacts"] == 3


async def test_a_replacing_import_takes_who_was_never_attempted(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    journal.create(contacts=5)
    journal.start()
    journal.call(1)
    journal.call(2, Disposition.BUSY, retry_in=timedelta(minutes=30))
    journal.abandon(journal.ask(3), 3)
    open_call = journal.ask(4)
    journal.replace(5, 2)
    assert list(await statuses(client)) == [1, 2, 4, 6, 7]
    assert list(await statuses(client, status="pending")) == [2, 6, 7]
    page = await got(client, f"{ONE}/contacts", skip=2, limit=2)
    assert [one["id"] for one in page["items"]] == [4, 6]
    assert page["items"][1]["contact_data"]["source"] == "csv_import"
    journal.abandon(open_call, 4)
    assert list(await statuses(client)) == [1, 2, 6, 7]
    found = await got(client, ONE)
    assert (found["total_contacts"], found["last_import_file_name"]) == (4, "list.csv")


async def test_executions_are_listed_newest_first(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    journal.create(contacts=3)
    journal.start()
    journal.call(1, Disposition.NO_ANSWER, retry_in=timedelta(minutes=30))
    late = journal.ask(2)
    journal.late(late, 2, 1)
    journal.ring(journal.ask(3), 3)
    found = await got(client, f"{ONE}/executions")
    assert [one["id"] for one in found["executions"]] == [3, 2, 1]
    ringing, rang_late, unanswered = found["items"]
    assert ringing["status"] == "in_progress"
    assert (rang_late["status"], rang_late["error_message"]) == ("failed", "rang late")
    assert rang_late["call_id"] == late
    assert unanswered["execution_data"]["retry_reason"] == "Will retry in 30 minutes"
    assert (unanswered["contact_name"], unanswered["contact_phone"]) == (
        "Contact 1",
        "+15550000001",
    )
    only = await got(client, f"{ONE}/executions", status="failed", per_page=1)
    assert [one["id"] for one in only["executions"]] == [2]
    odd = await client.get(f"{ONE}/executions", params={"status": "odd"})
    assert odd.status_code == 400


async def test_progress_adds_up(client: httpx.AsyncClient, journal: Journal) -> None:
    journal.create(contacts=14)
    journal.start()
    for contact_id in range(1, 13):
        journal.call(contact_id, Disposition.VOICEMAIL if contact_id > 9 else Disposition.ANSWERED)
    journal.ring(journal.ask(13), 13)
    found = await got(client, f"{ONE}/progress")
    assert found["progress"] == {
        "total_contacts": 14, "completed": 9, "failed": 3, "processing": 1, "pending": 1,
        "cancelled": 0, "skipped": 0, "progress_percentage": 85.71, "success_rate": 75.0,
    }  # fmt: skip
    assert (found["in_progress_contacts"], found["completion_percentage"]) == (1, 85.71)
    assert found["metrics"]["average_duration_seconds"] == 45
    assert len(found["recent_activity"]) == 10
    newest = found["recent_activity"][0]
    assert (newest["execution_id"], newest["contact_phone"]) == (13, "+15550000013")
    assert found["metrics"]["last_updated"] == newest["executed_at"]


async def test_imports_and_schedule(client: httpx.AsyncClient, journal: Journal) -> None:
    journal.create()
    assert (await client.get(f"{ONE}/imports/1")).status_code == 404
    journal.write(
        ImportStarted(
            campaign_id=1,
            import_id="long",
            number=1,
            file_name="long.csv",
            rows=9000,
            started_at=journal.now,
        )
    )
    begun = await got(client, f"{ONE}/imports/1")
    assert (begun["status"], begun["total_rows"]) == ("processing", 9000)
    journal.replace(3, 2, number=2)
    done = await got(client, f"{ONE}/imports/2")
    assert (done["status"], done["imported_count"], done["skipped_count"]) == ("completed", 2, 1)
    assert await got(client, f"{ONE}/schedule") == {
        "schedule_type": "immediate", "scheduled_at": None, "recurring_config": None,
    }  # fmt: skip


async def test_a_restarted_projector_answers_the_same(journal: Journal, tmp_path: Path) -> None:
    journal.create(contacts=5)
    journal.start()
    journal.call(1)
    answers = []
    for _ in range(2):
        async with serving(journal.log, tmp_path) as client:
            paths = (ALL, ONE, f"{ONE}/contacts", f"{ONE}/executions", f"{ONE}/progress")
            answers.append([await got(client, path) for path in paths])
    assert answers[0] == answers[1]
