"""The official JavaScript SDK's requests, sent as it builds them: nested objects in camelCase.

Source: contract 8.2, read from the SDK's source (0.1.0). It has no validation of answers,
so what they must have is what its callers read: `items`, and the campaign's own keys.
"""

from datetime import datetime

import pytest

from tests.conformance.session import Asking, ahead

pytestmark = pytest.mark.e2e
PEOPLE = [{"phoneNumber": "+14155550001", "name": "Ann", "variables": {"city": "Bern"}}]
SETTINGS = {
    "maxConcurrentCalls": 9, "callsPerMinute": 90, "maxAttempts": 2, "retryDelayMinutes": 15,
    "leaveVoicemail": True, "voicemailMessage": "Bye", "welcomeTemplate": "Hi {{ name }}",
    "agendaTemplate": "Talk",
}  # fmt: skip


@pytest.mark.both_logs
def test_a_create_in_camel_case_is_heard_whole(api: Asking) -> None:
    at = ahead(days=1)
    schedule = {
        "scheduleType": "once", "scheduledAt": at, "timezone": "Europe/Zurich",
        "startTime": "09:00", "endTime": "17:00",
    }  # fmt: skip
    one = api.create(contacts=PEOPLE, settings=SETTINGS, schedule=schedule)
    found = api.get(f"/{one}")
    assert found["settings"] == {
        "max_concurrent_calls": 9, "calls_per_minute": 90, "max_attempts": 2,
        "retry_delay_minutes": 15, "leave_voicemail": True, "voicemail_message": "Bye",
        "welcome_template": "Hi {{ name }}", "agenda_template": "Talk",
    }  # fmt: skip
    shown = found["schedule"]
    assert (found["status"], shown["schedule_type"]) == ("scheduled", "once")
    assert datetime.fromisoformat(shown["scheduled_at"]) == datetime.fromisoformat(at)
    assert (shown["timezone"], shown["start_time"], shown["end_time"]) == (
        "Europe/Zurich", "09:00", "17:00",
    )  # fmt: skip
    (contact,) = api.get(f"/{one}/contacts")["items"]
    assert (contact["phone_number"], contact["variables"]["city"]) == ("+14155550001", "Bern")


def test_a_recurring_schedule_counts_days_from_0(api: Asking) -> None:
    schedule = {
        "scheduleType": "recurring", "timezone": "UTC", "daysOfWeek": [0, 6], "startTime": "09:00",
        "endTime": "17:00",
    }  # fmt: skip
    shown = api.get(f"/{api.create(contacts=PEOPLE, schedule=schedule)}")["schedule"]
    assert shown["days_of_week"] == [0, 6]
    assert shown["recurring_config"]["days_of_week"] == [1, 7]


def test_an_update_is_a_patch(api: Asking) -> None:
    one = api.create()
    changed = api.send("PATCH", f"/{one}", {"name": "After", "settings": {"maxAttempts": 5}}).json()
    assert (changed["name"], changed["settings"]["max_attempts"]) == ("After", 5)


def test_contacts_are_added_in_camel_case(api: Asking) -> None:
    one = api.create()
    assert api.post(f"/{one}/contacts", {"contacts": PEOPLE})["imported_count"] == 1


def test_lists_are_read_without_a_page(api: Asking) -> None:
    one = api.create(contacts=PEOPLE)
    assert one in [found["id"] for found in api.get("")["items"]]
    assert len(api.get(f"/{one}/contacts")["items"]) == 1


def test_its_life_goes_by_resume_and_cancel(api: Asking) -> None:
    one = api.running()
    assert api.post(f"/{one}/pause")["status"] == "paused"
    assert api.post(f"/{one}/resume")["status"] == "running"
    assert api.get(f"/{one}/progress")["in_progress_contacts"] <= 1
    assert api.post(f"/{one}/cancel")["status"] == "cancelled"
    assert api.send("DELETE", f"/{one}").status_code == 200


def test_a_socket_tells_its_state_again_to_who_missed_the_first_frames(api: Asking) -> None:
    """It listens only once its caller iterates (6.4)."""
    with api.socket(f"/ws/campaigns/{api.create(contacts=PEOPLE)}/progress") as ear:
        ear.until("progress_update")
        assert ear.until("progress")[-1]["total_contacts"] == 1
