"""What was decided where the documentation is silent, 16 to 28, one test each.

Source: contract 9.
"""

import sqlite3
import time
from datetime import datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from dialgate.application import document
from tests.conformance.session import DRAFT, FAST, Asking, Json, ahead, people
from tests.support.system import KEY, System

pytestmark = pytest.mark.e2e
NOT_YET = "Messages are not supported yet"


def test_decision_16_a_mixed_campaign_keeps_both_ways_until_a_build_can_send(api: Asking) -> None:
    one = api.create(campaign_type="mixed", sms_message_template="Hi", contacts=people(2))
    found = api.get(f"/{one}")
    assert (found["campaign_type"], found["sms_message_template"]) == ("mixed", "Hi")
    assert api.refused(400, "POST", f"/{one}/start") == NOT_YET


@pytest.mark.both_logs
def test_decision_17_times_are_utc_and_every_get_shows_what_was_answered(api: Asking) -> None:
    one = api.running()
    for _ in range(10):
        for verb, status in (("pause", "paused"), ("start", "running")):
            api.post(f"/{one}/{verb}")
            found = api.get(f"/{one}")
            assert found["status"] == status
            assert api.get(f"/{one}/progress")["status"] == status
            assert one in [shown["id"] for shown in api.get("", status=status)["items"]]
    for name in ("created_at", "updated_at", "started_at"):
        assert found[name].endswith("+00:00")
        assert datetime.fromisoformat(found[name]).microsecond >= 0


def test_decision_18_a_create_may_be_scheduled_and_has_bounds_that_hold_in_updates(
    api: Asking,
) -> None:
    later = {"schedule_type": "once", "scheduled_at": ahead(days=1)}
    assert api.post("", DRAFT | {"schedule": later})["status"] == "scheduled"
    assert api.post("", DRAFT | {"schedule": {"schedule_type": "immediate"}})["status"] == "draft"
    api.refused(422, "POST", "", DRAFT | {"campaign_type": "fax"})
    one = api.create()
    twice = {"max_attempts": 3, "settings": {"max_attempts": 4}}
    for bad in (
        {"name": ""}, {"name": "x" * 201}, {"max_attempts": 11}, {"retry_delay_minutes": 4}, twice,
        {"settings": {"max_concurrent_calls": 1001}}, {"settings": {"calls_per_minute": 0}},
    ):  # fmt: skip
        api.refused(422, "POST", "", DRAFT | bad)
        api.refused(422, "PATCH", f"/{one}", bad)
    changed = api.send("PUT", f"/{one}", {"campaign_type": "sms", "assistant_id": 5}).json()
    assert (changed["campaign_type"], changed["assistant_id"]) == ("call", 123), "ignored"
    for query in ("skip=-1", "limit=0", "limit=1001"):
        api.refused(422, "GET", f"?{query}")


def test_decision_19_a_start_from_a_wrong_status_says_which(api: Asking) -> None:
    one = api.running()
    assert api.refused(400, "POST", f"/{one}/start") == "Campaign is already running"
    api.post(f"/{one}/stop")
    stopped = "Campaign cannot be started from status 'cancelled'"
    assert api.refused(400, "POST", f"/{one}/start") == stopped
    done = "All contacts have already been processed"
    assert api.refused(400, "POST", f"/{api.finished(1)}/start") == done
    ringing = api.create(contacts=people(1), settings=FAST)
    api.post(f"/{ringing}/start")
    api.wait(lambda: api.get(f"/{ringing}/progress")["pending_contacts"] == 0)
    if api.send("POST", f"/{ringing}/pause").status_code == 200:  # Else it was quicker.
        api.wait(lambda: api.get(f"/{ringing}")["status"] == "completed")


def test_decision_20_a_stop_cancels_who_waits_for_another_attempt(api: Asking) -> None:
    one = api.create(contacts=people(60), settings=FAST | {"max_attempts": 3})
    api.post(f"/{one}/start")
    waiting: list[dict[str, Any]] = []

    def some_wait() -> bool:
        contacts = api.get(f"/{one}/contacts", status="pending", limit=100)["items"]
        waiting[:] = [contact for contact in contacts if contact["attempts"]]
        return bool(waiting)

    api.wait(some_wait)
    api.post(f"/{one}/stop")
    api.wait(lambda: api.get(f"/{one}/progress")["in_progress_contacts"] == 0)
    found = {contact["id"]: contact for contact in api.get(f"/{one}/contacts", limit=100)["items"]}
    assert {found[contact["id"]]["status"] for contact in waiting} == {"cancelled"}
    assert "pending" not in {contact["status"] for contact in found.values()}, "none is retried"


def test_decision_21_cancelled_and_skipped_are_counted_beside_the_total(api: Asking) -> None:
    one = api.finished(5)
    api.post(f"/{one}/re-execute", {"contact_selection": [1, 2]})
    found = api.get(f"/{one}/progress")
    assert (found["progress"]["skipped"], found["skipped_contacts"]) == (3, 3)
    assert (found["total_contacts"], api.get(f"/{one}")["total_contacts"]) == (2, 2)
    api.post(f"/{one}/start")
    api.post(f"/{one}/stop")
    found = api.get(f"/{one}/progress")
    assert found["progress"]["cancelled"] == found["cancelled_contacts"]
    assert api.get(f"/{one}")["cancelled_contacts"] == found["cancelled_contacts"]


@pytest.mark.both_logs
def test_decision_22_one_unusable_contact_refuses_all_and_lists_come_where_they_may(
    api: Asking,
) -> None:
    bad = [*people(1), {"phone_number": "nonsense"}]
    one = api.create(contacts=[])
    for method, path, body in (
        ("POST", "", DRAFT | {"contacts": bad}), ("POST", f"/{one}/contacts", {"contacts": bad}),
    ):  # fmt: skip
        (error,) = api.refused(422, method, path, body)
        assert error["loc"][:3] == ["body", "contacts", 1]
    nothing = api.post(f"/{one}/contacts", {"contacts": []})
    assert (nothing["imported_count"], nothing["import_id"], nothing["file_name"]) == (
        0,
        None,
        None,
    )
    many = {"contacts": people(1) * 10_001}
    assert "10000" in api.refused(413, "POST", f"/{one}/contacts", many)
    running, over = api.running(), api.finished(1)
    assert api.post(f"/{running}/contacts", {"contacts": people(9)})["success"] is True
    api.refused(400, "POST", f"/{over}/contacts", {"contacts": people(1)})
    for wrong in (running, over):
        assert api.upload(wrong, "phone\n5551234567\n").status_code == 400
    long = api.upload(one, "phone\n" + "".join(f"555{n:07}\n" for n in range(15_000)))
    assert long.json()["status"] == "processing"
    assert api.refused(400, "POST", f"/{one}/start") == "An import is in progress"
    assert api.upload(one, "phone\n5551234567\n").json() == {"detail": "An import is in progress"}


def test_decision_23_embedded_schedules_count_days_from_0_and_show_once(api: Asking) -> None:
    weekly = {
        "schedule_type": "recurring", "timezone": "UTC", "days_of_week": [0, 6],
        "start_time": "09:00", "end_time": "17:00",
    }  # fmt: skip
    one = api.create(schedule=weekly)
    shown = api.get(f"/{one}")["schedule"]
    assert (shown["days_of_week"], shown["start_time"], shown["end_time"]) == (
        [0, 6],
        "09:00",
        "17:00",
    )
    config = api.get(f"/{one}/schedule")["recurring_config"]
    assert (config["frequency"], config["days_of_week"], config["time"]) == (
        "weekly",
        [1, 7],
        "09:00",
    )
    later = {"schedule_type": "scheduled", "scheduled_at": ahead(days=1)}
    two = api.create(schedule=later)
    assert api.get(f"/{two}")["schedule"]["schedule_type"] == "once"
    assert api.get(f"/{two}/schedule")["schedule_type"] == "scheduled"
    running = api.running()
    api.refused(400, "POST", f"/{running}/schedule", later)
    api.post(f"/{running}/pause")
    api.refused(400, "POST", f"/{running}/schedule", later)
    api.refused(422, "POST", "", DRAFT | {"schedule": {"schedule_type": "recurring"}})


def test_decision_24_a_re_execution_needs_a_selection_and_may_recur(api: Asking) -> None:
    one = api.finished(2)
    unusable: list[Json] = [{}, {"contact_selection": "some"}, {"contact_selection": []}]
    for body in unusable:
        detail = api.refused(400, "POST", f"/{one}/re-execute", body)
        assert detail == "Invalid contact_selection"
    config = {"frequency": "daily", "time": "09:00"}
    settings = {"schedule_type": "recurring", "recurring_config": config}
    body = {"contact_selection": "all", "schedule_settings": settings}
    shape = api.post(f"/{one}/re-execute", body)
    assert (shape["schedule_type"], shape["status"]) == ("recurring", "scheduled")


def test_decision_25_sockets_of_others_close_with_4004_and_outcomes_are_said(
    api: Asking, others: Asking
) -> None:
    one = api.create(contacts=people(30), settings=FAST)
    with (
        others.socket(f"/ws/campaigns/{one}/progress") as ear,
        pytest.raises(ConnectionClosedError) as closed,
    ):
        ear.hear()
    assert (closed.value.rcvd.code if closed.value.rcvd else None) == 4004
    with api.socket(f"/ws/campaigns/{one}/progress") as ear:
        api.post(f"/{one}/start")
        told = ear.until("campaign_completed")
    outcomes = {f["data"]["outcome"] for f in told if f["type"] == "contact_completed"}
    assert {"success"} < outcomes <= {"success", "no_answer", "busy", "voicemail", "failed"}
    with api.socket(f"/ws/campaigns/{one}/progress") as ear:
        ear.until("campaign_completed")
    with api.socket("/ws/campaigns/monitor") as ear:
        *_, overview = ear.until("overview")
    assert {frozenset(shown) for shown in overview["campaigns"]} == {
        frozenset({"campaign_id", "name", "status", "progress"})
    }


def test_decision_26_keys_of_the_environment_belong_to_their_organizations(
    api: Asking, others: Asking
) -> None:
    assert api.get(f"/{api.create()}")["organization_id"] == 1
    assert others.get(f"/{others.create()}")["organization_id"] == 2
    assert api.key == KEY


def test_decision_27_what_cannot_be_reached_is_503_with_whole_seconds_and_says_what_may_be(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            assert {"401", "503"} <= operation["responses"].keys(), (method, path)
    with System(tmp_path_factory.mktemp("away"), ruling_s=1, tries_s=1) as system:
        api = Asking(system)
        one = api.running()
        log = sqlite3.connect(system.data_dir / "log.db", isolation_level=None)
        log.execute("begin immediate")  # Nobody else appends while this lasts.
        answer = api.send("POST", f"/{one}/pause")
        log.execute("rollback")
        log.close()
        assert answer.status_code == 503
        assert answer.headers["retry-after"].isdigit()
        assert answer.json()["may_still_take_effect"] is True
        time.sleep(0.1)
        assert api.send("POST", f"/{one}/pause").status_code in (200, 400), "and it goes on"
        api.http.close()


@pytest.mark.parametrize("kind", ["sms", "mixed"])
def test_decision_28_messages_are_planned_and_not_sent_yet(api: Asking, kind: str) -> None:
    one = api.create(campaign_type=kind, sms_message_template="Hi")
    assert api.upload(one, "phone\n5551234567\n").json()["imported_count"] == 1
    assert api.send("PATCH", f"/{one}", {"name": "After"}).json()["name"] == "After"
    assert api.refused(400, "POST", f"/{one}/start") == NOT_YET
