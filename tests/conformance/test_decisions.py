"""What was decided where the documentation is silent, 1 to 15, one test each.

Source: contract 9.
"""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.http.door import UNAUTHORIZED
from dialgate.application import document
from tests.conformance.session import API, FAST, Asking, people
from tests.support.system import System

pytestmark = pytest.mark.e2e
COUNTED = ("completed", "failed", "processing", "pending", "cancelled")


def test_decision_1_the_ack_has_its_time_as_text_and_as_a_number(api: Asking) -> None:
    with api.socket(f"/ws/campaigns/{api.create()}/progress") as ear:
        ack = ear.hear()
    assert ack["type"] == "connection_ack"
    assert datetime.fromisoformat(ack["timestamp"]).timestamp() == ack["timestamp_unix"]


@pytest.mark.both_logs
def test_decision_2_a_short_import_is_done_at_once_a_long_one_polled_and_both_are_whole(
    api: Asking,
) -> None:
    one = api.create()
    assert api.upload(one, "phone\nnobody\n").status_code == 400
    short = api.upload(one, "phone\n5551234567\nnobody\n").json()
    assert (short["status"], short["imported_count"], short["failed_count"]) == ("completed", 1, 1)
    (error,) = short["errors"]
    assert (error["line"], "phone number" in error["reason"]) == (3, True)
    long = api.upload(one, "phone\n" + "".join(f"555{n:07}\n" for n in range(10_001)))
    assert (long.status_code, long.json()["status"]) == (202, "processing")
    path, seen = f"/{one}/imports/{long.json()['import_id']}", []
    while (found := api.get(path))["status"] == "processing":
        seen.append(api.get(f"/{one}")["total_contacts"])
    assert (found["status"], found["imported_count"]) == ("completed", 10_001)
    assert api.get(f"/{one}")["total_contacts"] == 10_001, "it replaced the one before"
    assert {1} >= set(seen[:-1]), "all of it counts at once"


def test_decision_3_a_start_answers_what_is_so(api: Asking) -> None:
    one = api.create(contacts=people(1))
    assert api.post(f"/{one}/start")["status"] == "running"


def test_decision_4_a_time_that_passed_meanwhile_is_kept_once_unless_it_is_too_late(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with System(tmp_path_factory.mktemp("late"), schedule_grace_s=60) as system:
        api = Asking(system)
        kept, _ = passed(api, system)
        api.wait(lambda: api.get(f"/{kept}")["status"] == "completed")
        assert api.get(f"/{kept}/executions")["total"] == 2
        system["up"].environment["DIALGATE_SCHEDULE_GRACE_S"] = "0.5"
        late, at = passed(api, system)
        api.wait(lambda: api.get(f"/{late}")["status"] == "failed")
        assert api.get(f"/{late}/executions")["total"] == 0, "it makes no call"
        assert at.strftime("%Y-%m-%d %H:%M") in api.get(f"/{late}")["failure_reason"]
        assert api.get(f"/{kept}/executions")["total"] == 2, "and only once"
        api.http.close()


def passed(api: Asking, system: System) -> tuple[int, datetime]:
    """Return a campaign whose time came while nothing ran, and when that was."""
    at = datetime.now(UTC) + timedelta(seconds=1)
    schedule = {"schedule_type": "scheduled", "scheduled_at": at.isoformat()}
    one = api.create(contacts=people(2), settings=FAST, schedule=schedule)
    again = api.post(f"/{one}/start")
    assert again["message"] == f"Campaign scheduled for {at:%Y-%m-%d %H:%M:%S} UTC"
    system["up"].kill9()
    api.wait(lambda: datetime.now(UTC) > at + timedelta(seconds=0.6))
    system["up"].restart()
    return one, at


def test_decision_5_cancelled_is_a_status_of_contacts(api: Asking) -> None:
    one = api.running(3)
    api.post(f"/{one}/stop")
    found = api.get(f"/{one}/contacts", status="cancelled")
    assert found["total"] >= 3
    assert {contact["status"] for contact in found["contacts"]} == {"cancelled"}


@pytest.mark.both_logs
def test_decision_6_counters_add_up_and_start_over_with_a_re_execution(api: Asking) -> None:
    one = api.finished(40)
    before = api.get(f"/{one}/progress")["progress"]
    assert sum(before[name] for name in COUNTED) == before["total_contacts"] == 40
    missed = sum(
        api.get(f"/{one}/contacts", status=status)["total"]
        for status in ("failed", "no_answer", "busy", "voicemail")
    )
    assert before["failed"] == missed > 0
    api.post(f"/{one}/re-execute", {"contact_selection": "failed_only"})
    after = api.get(f"/{one}/progress")["progress"]
    assert (after["total_contacts"], after["pending"], after["failed"]) == (missed, missed, 0)
    assert after["skipped"] == 40 - missed
    assert {contact["attempts"] for contact in api.get(f"/{one}/contacts")["items"]} == {0}
    assert api.get(f"/{one}/executions")["total"] == 40, "executions stay"


def test_decision_7_who_was_not_reached_waits_for_another_attempt_but_no_voicemail(
    api: Asking,
) -> None:
    one = api.create(contacts=people(200), settings=FAST | {"max_attempts": 2})
    api.post(f"/{one}/start")
    attempted = {"attempts": 1}.items()
    api.wait(lambda: api.get(f"/{one}/executions")["total"] == 200
             and api.get(f"/{one}/progress")["in_progress_contacts"] == 0)  # fmt: skip
    contacts = api.get(f"/{one}/contacts", limit=1000)["items"]
    assert all(contact.items() >= attempted for contact in contacts)
    waiting = [contact for contact in contacts if contact["status"] == "pending"]
    assert {contact["last_outcome"] for contact in waiting} == {"no_answer", "busy", "failed"}
    for contact in waiting:
        rest = datetime.fromisoformat(contact["next_attempt_at"]) - datetime.now(UTC)
        assert timedelta(minutes=29) < rest <= timedelta(minutes=30)
    final = {contact["status"] for contact in contacts} - {"pending"}
    assert final == {"completed", "voicemail"}


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2027-07-01T09:00:00", "America/New_York", "2027-07-01T13:00:00+00:00"),
        ("2027-07-01T09:00:00", None, "2027-07-01T09:00:00+00:00"),
        ("2027-07-01T09:00:00Z", "America/New_York", "2027-07-01T09:00:00+00:00"),
        ("2027-07-01T09:00:00+02:00", "America/New_York", "2027-07-01T07:00:00+00:00"),
        ("2027-03-14T02:30:00", "America/New_York", "2027-03-14T07:00:00+00:00"),  # Skipped.
        ("2027-11-07T01:30:00", "America/New_York", "2027-11-07T05:30:00+00:00"),  # Twice.
    ],
)
def test_decision_8_an_offset_wins_and_local_times_follow_their_zone(
    api: Asking, at: str, zone: str | None, expected: str
) -> None:
    one, body = api.create(), {"schedule_type": "scheduled", "scheduled_at": at}
    api.post(f"/{one}/schedule", body | ({"timezone": zone} if zone else {}))
    assert api.get(f"/{one}/schedule")["scheduled_at"] == expected


def test_decision_9_a_recurring_schedule_has_defaults_and_ends_months_early(api: Asking) -> None:
    one = api.create(contacts=people(1))
    config = {"frequency": "monthly", "time": "09:00", "day_of_month": 31}
    body = {"schedule_type": "recurring", "recurring_config": config}
    api.post(f"/{one}/schedule", body | {"scheduled_at": "2027-02-01T00:00:00Z"})
    found = api.get(f"/{one}/schedule")
    assert found["scheduled_at"] == "2027-02-28T09:00:00+00:00"
    assert (found["recurring_config"]["interval"], found["recurring_config"]["day_of_month"]) == (
        1, 31,
    )  # fmt: skip
    for name in ("frequency", "time"):
        less = {key: value for key, value in config.items() if key != name}
        refused = api.refused(400, "POST", f"/{one}/schedule", body | {"recurring_config": less})
        assert name in refused


def test_decision_10_anothers_campaign_is_403_on_its_get_and_404_elsewhere(
    api: Asking, others: Asking
) -> None:
    one = api.create(contacts=people(1))
    assert others.refused(403, "GET", f"/{one}") == "Campaign belongs to another organization"
    for method, path in (("GET", "/progress"), ("POST", "/start"), ("DELETE", ""), ("PUT", "")):
        assert others.refused(404, method, f"/{one}{path}", {}) == "Campaign not found"


def test_decision_11_details_are_the_documented_texts_and_assistants_are_not_checked(
    api: Asking, system: System
) -> None:
    nobody = Asking(system, "nonsense")
    answer = nobody.send("GET", "")
    assert (answer.status_code, answer.json()) == (401, {"detail": UNAUTHORIZED})
    assert answer.headers["www-authenticate"] == "Bearer"
    nobody.http.close()
    assert api.get(f"/{api.create(assistant_id=987_654_321)}")["assistant_id"] == 987_654_321


def test_decision_12_settings_have_one_value_under_each_of_their_names(api: Asking) -> None:
    one = api.create(
        settings={"maxConcurrentCalls": 7},
        execution_settings={"rateLimitPerMinute": 70},
        advanced_settings={"enable_voicemail_detection": True, "voicemail_message": "Bye"},
        pending_import={"any": ["thing"]},
    )
    found = api.get(f"/{one}")
    settings, execution = found["settings"], found["execution_settings"]
    assert settings["max_concurrent_calls"] == execution["concurrent_limit"] == 7
    assert settings["calls_per_minute"] == execution["rate_limit_per_minute"] == 70
    assert found["advanced_settings"] == {
        "enable_voicemail_detection": True, "leave_voicemail": False, "voicemail_message": "Bye",
    }  # fmt: skip
    assert settings["voicemail_message"] == "Bye"
    assert found["pending_import"] == {"any": ["thing"]}
    changed = api.send("PUT", f"/{one}", {"execution_settings": {"concurrent_limit": 8}}).json()
    assert changed["settings"]["max_concurrent_calls"] == 8


def test_decision_13_the_monitor_tells_of_all_and_then_of_those_subscribed(api: Asking) -> None:
    slow = {"calls_per_minute": 1, "max_concurrent_calls": 1}  # It still runs when it is paused.
    one, two = api.create(contacts=people(2), settings=slow), api.create(contacts=people(1))
    with api.socket("/ws/campaigns/monitor") as ear:
        ack, overview = ear.hear(), ear.hear()
        assert (ack["type"], overview["type"]) == ("connection_ack", "overview")
        api.post(f"/{one}/start")
        ear.until("campaign_update", campaign_id=one)
        ear.say({"type": "subscribe", "campaign_ids": [two]})
        ear.say({"type": "ping"})
        ear.until("pong")
        api.post(f"/{one}/pause")
        api.post(f"/{two}/start")
        told = ear.until("campaign_update", campaign_id=two)
    assert {frame["data"]["campaign_id"] for frame in told} == {two}


def test_decision_14_search_activity_limits_and_rates(api: Asking, system: System) -> None:
    one = api.create(name="Spring Näch", description="for ALL")
    for text in ("spring", "NÄCH", "all", "ring N"):
        assert one in [found["id"] for found in api.get("", search=text)["items"]], text
    assert len(api.get(f"/{api.finished(12)}/progress")["recent_activity"]) == 10
    many = "phone\n" + "".join(f"415{n:07}\n" for n in range(20_001))
    assert api.upload(one, many).status_code == 413
    made = api.post("/api/v1/keys", {"rate_limit": 6})
    slow = Asking(system, made["key"])
    answers = [slow.send("GET", "") for _ in range(3)]
    slow.http.close()
    assert [answer.status_code for answer in answers][:1] == [200]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"].isdigit()
    start = document()["paths"][f"{API}/{{campaign_id}}/start"]["post"]
    assert "402" not in start["responses"]


def test_decision_15_completed_contacts_means_reached_flat_and_done_in_data(api: Asking) -> None:
    one = api.finished(40)
    with api.socket(f"/ws/campaigns/{one}/progress") as ear:
        *_, frame = ear.until("progress")
    found = api.get(f"/{one}")
    assert frame["completed_contacts"] == found["completed_contacts"] < 40
    assert frame["data"]["completed_contacts"] == 40
    assert frame["data"]["successful_contacts"] == found["completed_contacts"]
