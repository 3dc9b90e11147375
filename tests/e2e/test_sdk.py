"""The unmodified official SDK against the running system, both its ways: plain and async."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import burki.exceptions
import pytest
from burki import BurkiClient
from burki.models.campaign import CampaignContact, CampaignSchedule, CampaignSettings
from burki.models.realtime import (
    CampaignCompletedEvent,
    CampaignContactEvent,
    CampaignProgressEvent,
)

from tests.support.auditor import audit, rings_of
from tests.support.client import Pause
from tests.support.system import KEY, System

pytestmark = pytest.mark.e2e
DONE_S = 60.0
FAST = {"max_attempts": 1, "calls_per_minute": 60_000, "max_concurrent_calls": 20}


class Sdk:
    """The SDK's campaigns, each method by its plain name: called as it is, or its async twin."""

    def __init__(self, client: BurkiClient, runner: asyncio.Runner | None) -> None:
        self._campaigns, self._runner = client.campaigns, runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if self._runner is None:
            found: Callable[..., Any] = getattr(self._campaigns, name)
            return found
        twin, runner = getattr(self._campaigns, f"{name}_async"), self._runner
        return lambda *args, **more: runner.run(twin(*args, **more))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("sdk")) as system:
        yield system


@pytest.fixture(params=["plain", "async"])
def sdk(system: System, request: pytest.FixtureRequest) -> Iterator[Sdk]:
    client = BurkiClient(api_key=KEY, base_url=system.commands_url)
    if request.param == "plain":
        yield Sdk(client, None)
        client.close()
        return
    with asyncio.Runner() as runner:
        yield Sdk(client, runner)
        runner.run(client.close_async())


def people(count: int) -> list[dict[str, str]]:
    """Return contacts as the SDK's documentation writes them."""
    return [{"phone_number": f"+1415555{n:04d}", "name": f"Person {n}"} for n in range(count)]


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    give_up_at = time.monotonic() + DONE_S
    while not what():
        assert time.monotonic() < give_up_at, f"not so within {DONE_S} s"
        time.sleep(0.05)


def test_a_campaign_is_created_found_and_listed(sdk: Sdk) -> None:
    made = sdk.create(
        name="Outreach",
        assistant_id=123,
        contacts=[*people(2), CampaignContact(phone_number="+14155559999", variables={"a": "b"})],
        description="From the SDK",
        phone_number_id=7,
        schedule=CampaignSchedule(),
        settings=CampaignSettings(max_attempts=2, voicemail_message="Bye", welcome_template="Hi"),
    )
    assert (made.name, made.status, made.total_contacts) == ("Outreach", "draft", 3)
    assert (made.organization_id, made.assistant_id, made.phone_number_id) == (1, 123, 7)
    assert (made.settings.max_attempts, made.settings.welcome_template) == (2, "Hi")
    assert made.schedule.schedule_type == "immediate"
    assert made.created_at.tzinfo is not None
    assert sdk.get(made.id) == made
    newest, *_ = sdk.list()
    assert newest == made
    assert sdk.list(status="draft", skip=0, limit=1) == [made]
    assert made.id not in [found.id for found in sdk.list(skip=1)]
    assert sdk.list(status="failed") == []


def test_a_campaign_is_updated_and_deleted(sdk: Sdk) -> None:
    made = sdk.create(name="Before", assistant_id=1, contacts=people(1))
    changed = sdk.update(made.id, name="After", settings={"max_attempts": 5})
    assert (changed.name, changed.settings.max_attempts) == ("After", 5)
    assert sdk.get(made.id) == changed
    assert sdk.update(made.id) == changed, "an empty one changes nothing"
    sdk.start(made.id)
    with pytest.raises(burki.exceptions.ValidationError, match="stop it first"):
        sdk.delete(made.id)
    sdk.cancel(made.id)
    sdk.delete(made.id)
    with pytest.raises(burki.exceptions.NotFoundError):
        sdk.get(made.id)


def test_a_scheduled_campaign_begins_by_itself(sdk: Sdk) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    made = sdk.create(
        name="Later",
        assistant_id=1,
        contacts=people(3),
        settings=FAST,
        schedule={"schedule_type": "once", "scheduled_at": soon.isoformat()},
    )
    assert (made.status, made.schedule.scheduled_at) == ("scheduled", soon)
    wait_for(lambda: sdk.get(made.id).status == "completed")
    found = sdk.get(made.id)
    assert soon <= found.started_at < soon + timedelta(seconds=30)
    assert found.completed_contacts + found.failed_contacts == 3


def test_contacts_are_added_and_read_back(sdk: Sdk) -> None:
    made = sdk.create(name="Contacts", assistant_id=1, contacts=people(3))
    added = sdk.add_contacts(
        made.id, [{"phone_number": "(415) 555-8888"}, CampaignContact(**people(1)[0])]
    )
    assert (added["success"], added["imported_count"], added["total_contacts"]) == (True, 1, 4)
    found = sdk.get_contacts(made.id)
    assert {contact.phone_number for contact in found} == {
        "+14155558888",
        *(one["phone_number"] for one in people(3)),
    }
    assert {contact.status for contact in found} == {"pending"}
    assert {contact.name for contact in found if contact.name} == {f"Person {n}" for n in range(3)}
    assert len(sdk.get_contacts(made.id, status="pending", skip=1, limit=2)) == 2
    assert sdk.get_contacts(made.id, status="completed") == []


def test_a_campaign_runs_pauses_resumes_and_finishes(sdk: Sdk, system: System) -> None:
    settings = {**FAST, "max_concurrent_calls": 5}  # It outlasts a client that is kept waiting.
    made = sdk.create(name="Run", assistant_id=1, contacts=people(120), settings=settings)
    assert sdk.start(made.id).status == "running"
    wait_for(lambda: sdk.get_progress(made.id).completed_contacts > 5)
    paused = sdk.pause(made.id)
    pause = Pause(made.id, time.time_ns())
    assert (paused.id, paused.status) == (made.id, "paused")
    time.sleep(0.5)  # Not for a condition: nothing must happen.
    pause.until_ns = time.time_ns()
    assert 0 < rings(system, made.id) < 120
    assert sdk.resume(made.id).status == "running"
    wait_for(lambda: sdk.get(made.id).status == "completed")
    progress = sdk.get_progress(made.id)
    assert (progress.status, progress.total_contacts) == ("completed", 120)
    assert progress.completed_contacts + progress.failed_contacts == 120
    assert (progress.pending_contacts, progress.in_progress_contacts) == (0, 0)
    assert progress.completion_percentage == 100.0
    assert rings(system, made.id) == 120, "each once"
    assert {contact.attempts for contact in sdk.get_contacts(made.id, limit=200)} == {1}
    audit(system, [pause], finished=False).assert_clean(rings=120, pauses=1)


def rings(system: System, campaign_id: int) -> int:
    """Return how many rings the carrier itself has written down of a campaign."""
    return sum(ring.campaign_id == campaign_id for ring in rings_of(system.rings))


def test_a_campaign_is_paused_started_again_and_cancelled(sdk: Sdk) -> None:
    made = sdk.create(name="Cancel", assistant_id=1, contacts=people(50))
    sdk.start(made.id)
    sdk.pause(made.id)
    assert sdk.start(made.id).status == "running", "start resumes, as documented"
    cancelled = sdk.cancel(made.id)
    assert (cancelled.status, cancelled.completed_at is not None) == ("cancelled", True)
    wait_for(lambda: sdk.get_progress(made.id).in_progress_contacts == 0)
    assert "cancelled" in {contact.status for contact in sdk.get_contacts(made.id)}


def test_what_is_refused_raises_the_sdks_own_errors(sdk: Sdk) -> None:
    made = sdk.create(name="Errors", assistant_id=1, contacts=[])
    for wrong, message in (
        (sdk.pause, "Campaign is not running"),
        (sdk.start, "No contacts found"),
    ):
        with pytest.raises(burki.exceptions.ValidationError) as refused:
            wrong(made.id)
        assert (refused.value.status_code, refused.value.message) == (400, message)
    for absent in (sdk.get, sdk.start, sdk.pause, sdk.resume, sdk.cancel, sdk.get_progress):
        with pytest.raises(burki.exceptions.NotFoundError):
            absent(999_999)
    with pytest.raises(burki.exceptions.ValidationError) as invalid:
        sdk.create(name="", assistant_id=1, contacts=[])
    assert invalid.value.status_code == 422
    assert invalid.value.response_body
    assert invalid.value.response_body["detail"][0]["loc"] == ["body", "name"]


def test_a_run_is_followed_through_to_its_end(system: System) -> None:
    async def follow() -> list[Any]:
        async with BurkiClient(api_key=KEY, base_url=system.commands_url) as client:
            campaigns = client.campaigns
            made = await campaigns.create_async(
                name="Followed", assistant_id=1, contacts=[*people(30)], settings=FAST
            )
            events = []
            async with client.realtime.campaign_progress(made.id) as stream:
                await campaigns.start_async(made.id)
                async for event in stream:
                    events.append(event)
                    if isinstance(event, CampaignCompletedEvent):
                        return events
            raise AssertionError("the stream ended before the campaign")

    events = asyncio.run(asyncio.wait_for(follow(), DONE_S))
    *told, done = events
    assert (done.total_contacts, done.completed_contacts + done.failed_contacts) == (30, 30)
    assert all(event.campaign_id == done.campaign_id for event in told)
    reached = [one.completed_contacts for one in told if isinstance(one, CampaignProgressEvent)]
    assert reached == sorted(reached)
    assert reached[0] == 0
    contacts = [event for event in told if isinstance(event, CampaignContactEvent)]
    assert {contact.contact_id for contact in contacts} == set(range(1, 31))
    assert {contact.phone_number for contact in contacts} == {
        one["phone_number"] for one in people(30)
    }
    final = {contact.contact_id: contact.status for contact in contacts}
    assert sum(status == "completed" for status in final.values()) == done.completed_contacts


def test_a_socket_with_a_wrong_key_ends_at_once(system: System) -> None:
    async def follow() -> list[Any]:
        async with (
            BurkiClient(api_key="nonsense", base_url=system.commands_url) as client,
            client.realtime.campaign_progress(1) as stream,
        ):
            return [event async for event in stream]

    assert asyncio.run(asyncio.wait_for(follow(), DONE_S)) == []


def test_a_wrong_key_raises_the_sdks_own_error(system: System) -> None:
    with (
        BurkiClient(api_key="nonsense", base_url=system.commands_url) as client,
        pytest.raises(burki.exceptions.AuthenticationError, match="Invalid or missing API key"),
    ):
        client.campaigns.list()
