"""The rows of the contract's table of operations, one test each, against a running system.

Source: contract 1.1 and 1.3. What an operation does in every case is tested elsewhere; here
each is asked as the documentation and the SDKs ask it, and answers with what they show.
"""

import pytest

from tests.conformance.session import API, DRAFT, FAST, Asking, ahead, people

pytestmark = pytest.mark.e2e
IN_LISTS = {"id", "name", "description", "campaign_type", "status", "assistant_id", "metrics"}
PAGE = {"page", "per_page", "total_items", "total_pages", "has_next", "has_prev"}
CONTACT = {"id", "phone_number", "contact_data", "status", "attempts", "created_at"}


@pytest.mark.both_logs
def test_row_1_list(api: Asking) -> None:
    ids = [api.create(name=f"Listed {n}", assistant_id=77) for n in range(3)]
    found = api.get("", page=1, per_page=2, assistant_id=77, search="listed")
    assert [one["id"] for one in found["campaigns"]] == ids[:0:-1], "newest first"
    assert found["campaigns"][0].keys() >= IN_LISTS
    assert found["pagination"] == dict.fromkeys(PAGE) | {
        "page": 1, "per_page": 2, "total_items": 3, "total_pages": 2,
        "has_next": True, "has_prev": False,
    }  # fmt: skip
    second = api.get("", skip=2, limit=2, assistant_id=77, status="draft", campaign_type="call")
    assert [one["id"] for one in second["items"]] == ids[:1]
    assert (second["total"], second["skip"], second["limit"]) == (3, 2, 2)
    assert api.refused(400, "GET", "?status=asleep") == "Invalid status value"
    assert api.refused(422, "GET", "?per_page=1001")[0]["loc"] == ["query", "per_page"]


@pytest.mark.both_logs
def test_row_2_create(api: Asking) -> None:
    made = api.send("POST", "", DRAFT | {"description": "x", "fallback_values": {"name": "you"}})
    shape = made.json()
    assert (made.status_code, shape["status"]) == (200, "draft")
    assert (shape["variable_mappings"], shape["available_variables"]) == ({}, [])
    assert (shape["max_attempts"], shape["retry_delay_minutes"]) == (3, 30)
    assert (shape["total_contacts"], shape["completed_contacts"], shape["failed_contacts"]) == (
        0,
    ) * 3
    for missing in DRAFT:
        body = {name: value for name, value in DRAFT.items() if name != missing}
        (error,) = api.refused(422, "POST", "", body)
        assert (error["loc"], error["type"], error["msg"]) == (
            ["body", missing], "missing", "Field required",
        )  # fmt: skip


def test_row_3_get(api: Asking) -> None:
    made = api.post("", DRAFT)
    assert api.get(f"/{made['id']}") == made
    assert api.refused(404, "GET", "/999999") == "Campaign not found"
    (error,) = api.refused(422, "GET", "/first")
    assert (error["loc"], error["type"]) == (["path", "campaign_id"], "int_parsing")


def test_row_4_update_by_put(api: Asking) -> None:
    one = api.create()
    shape = api.send("PUT", f"/{one}", {"name": "After", "max_attempts": 5}).json()
    assert (shape["message"], shape["name"]) == ("Campaign updated successfully", "After")
    assert (shape["max_attempts"], shape["assistant_id"]) == (5, 123)
    assert api.get(f"/{one}")["name"] == "After"
    assert "running" in api.refused(400, "PUT", f"/{api.running()}", {"name": "x"})


def test_row_5_delete(api: Asking) -> None:
    one = api.create(contacts=people(2))
    assert api.send("DELETE", f"/{one}").json()["message"] == "Campaign deleted successfully"
    assert api.refused(404, "GET", f"/{one}/contacts") == "Campaign not found"
    assert api.refused(400, "DELETE", f"/{api.running()}") == "Campaign is running: stop it first"


@pytest.mark.both_logs
def test_row_6_start(api: Asking) -> None:
    one = api.create(contacts=people(1), settings=FAST)
    shape = api.post(f"/{one}/start")
    assert (shape["success"], shape["campaign_id"]) == (True, one)
    assert shape["message"] == "Campaign execution started immediately"
    assert isinstance(shape["task_id"], str)
    assert api.refused(400, "POST", f"/{api.create()}/start") == "No contacts found"


@pytest.mark.both_logs
def test_row_7_pause(api: Asking) -> None:
    one = api.running()
    shape = api.post(f"/{one}/pause")
    assert (shape["message"], shape["status"]) == ("Campaign paused successfully", "paused")
    assert shape["receipt"]["guarantee"] == "strict"
    assert api.refused(400, "POST", f"/{one}/pause") == "Campaign is not running"
    assert api.refused(400, "POST", f"/{api.create()}/pause") == "Campaign is not running"


def test_row_8_stop(api: Asking) -> None:
    one = api.running(3)
    shape = api.post(f"/{one}/stop")
    assert (shape["message"], shape["status"]) == ("Campaign stopped successfully", "cancelled")
    assert shape["completed_at"] is not None
    assert "stopped" in api.refused(400, "POST", f"/{one}/stop")
    assert "started" in api.refused(400, "POST", f"/{one}/start"), "it is not resumable"


def test_row_9_re_execute(api: Asking) -> None:
    one = api.finished(3)
    shape = api.post(f"/{one}/re-execute", {"contact_selection": "all"})
    assert (shape["success"], shape["campaign_id"], shape["contacts_reset"]) == (True, one, 3)
    assert shape["message"] == "Campaign ready for re-execution with 3 contacts"
    assert (shape["schedule_type"], shape["status"]) == ("immediate", "draft")
    later = {"schedule_type": "scheduled", "scheduled_at": ahead(days=1)}
    other = api.finished(1)
    body = {"contact_selection": "all", "schedule_settings": later}
    shape = api.post(f"/{other}/re-execute", body)
    assert (shape["schedule_type"], shape["status"]) == ("once", "scheduled")
    assert shape["scheduled_time"] is not None


def test_row_10_contacts(api: Asking) -> None:
    one = api.create(contacts=people(3))
    found = api.get(f"/{one}/contacts", page=2, per_page=2)
    (contact,) = found["contacts"]
    assert (found["items"], found["pagination"].keys()) == (found["contacts"], PAGE)
    assert contact.keys() >= CONTACT
    assert contact["contact_data"]["variable_values"]["name"] == contact["name"] == "Person 2"
    assert api.get(f"/{one}/contacts", skip=1, limit=1)["items"][0]["name"] == "Person 1"
    assert api.get(f"/{one}/contacts", status="busy")["total"] == 0
    assert api.refused(400, "GET", f"/{one}/contacts?status=asleep") == "Invalid status value"


@pytest.mark.both_logs
def test_row_11_import(api: Asking) -> None:
    one = api.create()
    mappings = '{"Phone Number": "phone_number", "Appt Date": "appointment_date"}'
    text = "\ufeffPhone Number,Full Name,Appt Date\n(555) 123-4567,Ann,May 1\n"
    answer = api.upload(one, text, column_mappings=mappings)
    shape = answer.json()
    assert answer.status_code == 202
    assert shape["message"] == "Successfully imported 1 contacts"
    assert (shape["imported_count"], shape["total_contacts"]) == (1, 1)
    assert (shape["file_name"], shape["success"]) == ("people.csv", True)
    campaign = api.get(f"/{one}")
    assert campaign["variable_mappings"]["Appt Date"] == "appointment_date"
    assert campaign["last_import_row_count"] == 1
    assert "file" in str(api.send("POST", f"/{one}/import-data").json()["detail"])


def test_row_12_import_status(api: Asking) -> None:
    one = api.create()
    number = api.upload(one, "phone\n5551234567\nx\n5551234567\n").json()["import_id"]
    found = api.get(f"/{one}/imports/{number}")
    assert (found["id"], found["import_id"], found["campaign_id"]) == (number, number, one)
    assert (found["status"], found["total_rows"], found["imported_count"]) == ("completed", 3, 1)
    assert (found["skipped_count"], found["failed_count"]) == (1, 1)
    assert found["errors"][0]["line"] == 3
    assert api.refused(404, "GET", f"/{one}/imports/2") == "Import not found"


@pytest.mark.both_logs
def test_row_13_progress(api: Asking) -> None:
    found = api.get(f"/{api.finished(12)}/progress")
    nested = found["progress"]
    assert (nested["total_contacts"], nested["progress_percentage"]) == (12, 100.0)
    rate = round(100 * nested["completed"] / (nested["completed"] + nested["failed"]), 2)
    assert nested["success_rate"] == found["success_rate"] == rate
    assert found["metrics"].keys() >= {
        "total_duration_seconds", "average_duration_seconds", "success_rate", "answer_rate",
        "completion_rate", "cost_estimate", "actual_cost", "last_updated",
    }  # fmt: skip
    newest = [one["execution_id"] for one in found["recent_activity"]]
    assert newest == sorted(newest, reverse=True)
    assert found["recent_activity"][0].keys() >= {"execution_id", "contact_phone", "call_id"}


def test_row_14_executions(api: Asking) -> None:
    found = api.get(f"/{api.finished(4)}/executions", per_page=3)
    assert found["pagination"]["total_items"] == 4
    ids = [one["id"] for one in found["executions"]]
    assert ids == sorted(ids, reverse=True)
    one = found["executions"][0]
    assert one["id"] == one["execution_id"]
    assert one.keys() >= {"contact_id", "contact_name", "call_id", "sms_id", "executed_at"}
    assert one["execution_data"]["to_number"] == one["contact_phone"]


def test_row_15_schedule(api: Asking) -> None:
    one = api.create()
    nothing = {"schedule_type": "immediate", "scheduled_at": None, "recurring_config": None}
    assert api.get(f"/{one}/schedule") == nothing
    api.post(f"/{one}/schedule", {"schedule_type": "scheduled", "scheduled_at": ahead(days=1)})
    assert api.get(f"/{one}/schedule")["schedule_type"] == "scheduled"


def test_row_16_save_a_schedule(api: Asking) -> None:
    one = api.create()
    weekly = {"frequency": "weekly", "days_of_week": [1, 7], "time": "09:00", "time_zone": "UTC"}
    body = {"schedule_type": "recurring", "recurring_config": weekly}
    shape = api.post(f"/{one}/schedule", body)
    assert (shape["success"], shape["message"]) == (True, "Schedule saved")
    assert (shape["status"], shape["schedule"]["days_of_week"]) == ("scheduled", [0, 6])
    past = {"schedule_type": "scheduled", "scheduled_at": ahead(days=-1)}
    assert api.refused(400, "POST", f"/{one}/schedule", past) == "Scheduled time is in the past"
    assert "schedule_type" in api.refused(400, "POST", f"/{one}/schedule", {})


def test_row_17_unschedule(api: Asking) -> None:
    one = api.create(schedule={"schedule_type": "once", "scheduled_at": ahead(days=1)})
    shape = api.post(f"/{one}/unschedule")
    assert (shape["success"], shape["status"]) == (True, "draft")
    assert "unscheduled" in api.refused(400, "POST", f"/{one}/unschedule")


def test_row_18_template_preview(api: Asking) -> None:
    def preview(template: str, **more: object) -> tuple[bool, str]:
        shape = api.post("/template-preview", {"template": template} | more)
        return shape["success"], shape["rendered_template"]

    number = {"phone": "5551234567", "who": "ann lee"}
    text = "{{ phone|phone_format }} {{ who|title_case }} {{ x|default('y') }} {{ name }}"
    assert preview(text, variables=number) == (True, "(555) 123-4567 Ann Lee y there")
    assert preview("{{ company }}: {{ assistant_name }}") == (True, "our company: your assistant")
    success, rendered = preview("Hi {{ name")
    assert (success, rendered.startswith("[Template Error: ")) == (False, True)
    assert rendered.endswith("] Hi {{ name")


@pytest.mark.both_logs
def test_row_19_progress_socket(api: Asking) -> None:
    one = api.create(contacts=people(3), settings=FAST)
    with api.socket(f"/ws/campaigns/{one}/progress") as ear:
        frames = ear.until("progress_update")
        api.post(f"/{one}/start")
        frames += ear.until("campaign_completed")
    kinds = [frame["type"] for frame in frames]
    assert kinds[:4] == ["connection_ack", "initial_progress", "progress", "progress_update"]
    assert {"contact_update", "contact_completed"} <= set(kinds)
    assert frames[-1]["total_contacts"] == 3


def test_row_20_monitor_socket(api: Asking) -> None:
    one = api.create(contacts=people(1))
    with api.socket("/ws/campaigns/monitor") as ear:
        *_, overview = ear.until("overview")
        api.post(f"/{one}/start")
        *_, update = ear.until("campaign_update", campaign_id=one, status="running")
    assert one in [shown["campaign_id"] for shown in overview["campaigns"]]
    assert update["data"]["name"] == "Sample"


def test_row_21_connections(api: Asking) -> None:
    one = api.create()
    path = f"/ws/campaigns/{one}/connections"
    assert api.get(path) == {"campaign_id": one, "connections": [], "total": 0}
    with api.socket(f"/ws/campaigns/{one}/progress") as ear:
        ear.until("initial_progress")
        found = api.get(path)
    assert found["total"] == 1
    assert found["connections"][0]["client"] == "127.0.0.1"


def test_row_s1_update_by_patch(api: Asking) -> None:
    one = api.create()
    shape = api.send("PATCH", f"/{one}", {"settings": {"max_attempts": 4}}).json()
    assert (shape["max_attempts"], shape["settings"]["max_attempts"]) == (4, 4)
    assert shape["message"] == "Campaign updated successfully"
    assert api.send("PATCH", f"/{one}", {}).status_code == 200, "the SDK may send nothing"


@pytest.mark.both_logs
def test_row_s2_resume(api: Asking) -> None:
    one = api.running()
    api.post(f"/{one}/pause")
    assert api.post(f"/{one}/resume")["status"] == "running"
    assert "resumed" in api.refused(400, "POST", f"/{one}/resume"), "only what is paused"


def test_row_s3_cancel(api: Asking) -> None:
    shape = api.post(f"/{api.running()}/cancel")
    assert (shape["status"], shape["message"]) == ("cancelled", "Campaign stopped successfully")


def test_row_s4_add_contacts(api: Asking) -> None:
    one = api.create(contacts=people(1))
    shape = api.post(f"/{one}/contacts", {"contacts": people(3)})
    assert (shape["success"], shape["imported_count"], shape["skipped_count"]) == (True, 2, 1)
    assert (shape["total_contacts"], shape["import_id"]) == (3, None)


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_path_is_served_with_and_without_a_slash_and_never_redirects(
    api: Asking, slash: str
) -> None:
    """Contract 8.3 row 24; `template-preview` is no campaign's id (1.1)."""
    one = api.create(contacts=people(1))
    for path in ("", f"/{one}", f"/{one}/contacts", f"/{one}/progress", f"/{one}/executions",
                 f"/{one}/schedule", f"/{one}/pause"):  # fmt: skip
        assert api.send("GET", f"{API}{path}{slash}").status_code == 200, path
    assert api.send("POST", f"{API}{slash}", DRAFT).status_code == 200
    assert api.send("POST", f"{API}/template-preview{slash}", {"template": ""}).status_code == 200
    assert api.send("POST", f"{API}/{one}/start{slash}").status_code == 200
    for method, path, status, detail in (
        ("DELETE", API, 405, "Method Not Allowed"),
        ("PUT", f"{API}/{one}/start", 405, "Method Not Allowed"),
        ("GET", f"{API}/{one}/nothing", 404, "Not Found"),
        ("GET", "/api/v1", 404, "Not Found"),
    ):
        assert api.refused(status, method, f"{path}{slash}") == detail
