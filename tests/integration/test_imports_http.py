"""Contacts over HTTP, and what queries say of them."""

import asyncio

from tests.support.import_world import people
from tests.support.whole_api import CAMPAIGNS, whole_api


async def test_a_short_file_is_imported_when_the_answer_comes() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        text = "\ufeffPhone Number,Full Name,Appointment Date\n(555) 123-4567,Ann,May 1\nbad,Bo,\n"
        status, answer = await api.upload(campaign_id, text)
        assert status == 202
        assert answer.pop("import_date").endswith("+00:00")
        assert answer == {
            "success": True,
            "message": "Successfully imported 1 contacts",
            "import_id": 1,
            "status": "completed",
            "imported_count": 1,
            "skipped_count": 0,
            "failed_count": 1,
            "errors": [
                {
                    "line": 3,
                    "reason": "the phone number has characters other than digits and punctuation",
                }
            ],
            "total_contacts": 1,
            "file_name": "people.csv",
        }
        (contact,) = (await api.get(f"{campaign_id}/contacts"))["contacts"]
        assert contact["phone_number"] == "+15551234567"
        assert contact["variables"] == {"name": "Ann", "appointment_date": "May 1"}
        assert contact["contact_data"]["source"] == "csv_import"
        shown = await api.get(f"{campaign_id}/imports/1")
        assert (shown["status"], shown["imported_count"], shown["failed_count"]) == (
            "completed",
            1,
            1,
        )


async def test_a_long_file_is_polled_and_counts_all_at_once() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        status, answer = await api.upload(campaign_id, people(range(11_000)))
        assert (status, answer["status"], answer["import_id"]) == (202, "processing", 1)
        start = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/start")
        assert (start.status_code, start.json()) == (400, {"detail": "An import is in progress"})
        assert await api.upload(campaign_id, people([1])) == (
            400,
            {"detail": "An import is in progress"},
        )
        seen = []
        while True:
            total = (await api.get(f"{campaign_id}"))["total_contacts"]
            seen.append(found := await api.get(f"{campaign_id}/imports/1"))
            if found["status"] != "processing":
                break
            assert (total, found["imported_count"]) == (0, 0), "counted while on its way in"
            await asyncio.sleep(0.01)
        received = [one["received_count"] for one in seen]
        assert received == sorted(received), "it only goes on"
        assert any(0 < count < 11_000 for count in received), "and shows how far it is"
        for one in seen:
            assert one["progress_percentage"] == round(one["received_count"] / 110, 2)
        assert (found["imported_count"], found["progress_percentage"]) == (11_000, 100.0)
        assert (await api.get(f"{campaign_id}"))["total_contacts"] == 11_000


async def test_a_mapping_is_kept_and_its_variables_are_available() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        mapping = '{"Tel": "phone_number", "When": "appointment_date"}'
        text = "Tel,When\n5551234567,noon\n"
        status, answer = await api.upload(campaign_id, text, column_mappings=mapping)
        assert (status, answer["imported_count"]) == (202, 1)
        campaign = await api.get(f"{campaign_id}")
        assert campaign["variable_mappings"] == {"Tel": "phone_number", "When": "appointment_date"}
        assert campaign["available_variables"] == ["appointment_date"]
        assert campaign["last_import_file_name"] == "people.csv"
        assert campaign["last_import_row_count"] == 1


async def test_contacts_are_added_in_both_spellings() -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=[{"phone_number": "5551234567", "name": "Ann"}])
        path = f"{CAMPAIGNS}/{campaign_id}/contacts"
        body = {"contacts": [{"phoneNumber": "5551234568"}, {"phone_number": "+15551234567"}]}
        answer = await api.client.post(path, json=body)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["import_id"], found["file_name"], found["status"]) == (
            None,
            None,
            "completed",
        )
        assert (found["imported_count"], found["skipped_count"], found["total_contacts"]) == (
            1,
            1,
            2,
        )
        ends = await api.ends()
        assert (await api.client.post(path, json={"contacts": []})).json()["imported_count"] == 0
        assert await api.ends() == ends


async def test_a_repeated_request_is_answered_as_the_first_and_adds_nothing() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        headers = {"Idempotency-Key": "k1"}
        path = f"{CAMPAIGNS}/{campaign_id}/import-data"
        file = {"file": ("people.csv", people([1, 2]), "text/csv")}
        first = await api.client.post(path, files=file, headers=headers)
        ends = await api.ends()
        second = await api.client.post(path, files=file, headers=headers)
        assert (second.status_code, second.json()) == (202, first.json())
        other = {"file": ("people.csv", people([3]), "text/csv")}
        assert (await api.client.post(path, files=other, headers=headers)).status_code == 422
        long = {"file": ("people.csv", people(range(10_500)), "text/csv")}
        headers = {"Idempotency-Key": "k2"}
        body = {"contacts": [{"phone_number": "5559990000"}]}
        added = f"{CAMPAIGNS}/{campaign_id}/contacts"
        assert await api.ends() == ends
        first = await api.client.post(added, json=body, headers=headers)
        second = await api.client.post(added, json=body, headers=headers)
        assert (second.status_code, second.json()) == (200, first.json())
        headers = {"Idempotency-Key": "k3"}
        first = await api.client.post(path, files=long, headers=headers)
        second = await api.client.post(path, files=long, headers=headers)
        assert (second.status_code, second.json()["import_id"]) == (202, first.json()["import_id"])


async def test_another_organization_cannot_add_contacts() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        ends = await api.ends()
        api.client.headers["Authorization"] = "Bearer two"
        status, answer = await api.upload(campaign_id, people([1]))
        assert (status, answer) == (404, {"detail": "Campaign not found"})
        path = f"{CAMPAIGNS}/{campaign_id}/contacts"
        added = await api.client.post(path, json={"contacts": []})
        assert added.status_code == 404
        assert await api.ends() == ends


async def test_an_upload_has_a_hundred_fields_and_not_one_more() -> None:
    """A thousand small parts in one piece held the event loop for 18 ms."""
    async with whole_api() as api:
        path = f"{CAMPAIGNS}/{await api.create()}/import-data"
        file = {"file": ("people.csv", people([1, 2]), "text/csv")}
        ends = await api.ends()
        many = {f"field{n}": "1" for n in range(101)}
        refused = await api.client.post(path, files=file, data=many)
        assert refused.status_code == 400
        assert "100" in refused.text
        assert await api.ends() == ends
        del many["field100"]
        assert (await api.client.post(path, files=file, data=many)).status_code == 202
