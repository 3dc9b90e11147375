"""Every success is as the OpenAPI document says, key by key; every example in it fits its schema.

The document leaves room for further keys, as clients should; here there is none.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest

from campaigns.domain.facts import Disposition
from dialgate.application import document
from tests.integration.test_sockets import call
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

API, KEYS, HOOKS = CAMPAIGNS, "/api/v1/keys", "/api/v1/webhooks"
ONE = f"{API}/{{campaign_id}}"
LATER = "2030-01-01T09:00:00Z"
TEMPLATE = {"template": "Hello {{ name }}", "variables": {"name": "Ann"}}


def closed() -> dict[str, Any]:
    """Return the document's schemas with no room for keys that they do not name."""
    schemas = deepcopy(document()["components"]["schemas"])
    for schema in schemas.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    found: dict[str, Any] = schemas
    return found


CLOSED = closed()


def misfit(answer: object, schema: dict[str, Any]) -> str | None:
    """Say why JSON does not fit a schema of the document; None when it does."""
    whole = {"allOf": [schema], "components": {"schemas": CLOSED}}
    checked = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return next(
        (f"{list(no.instance_path)}: {no.message}" for no in checked.iter_errors(answer)), None
    )


def success_of(method: str, path: str, status: int) -> dict[str, Any]:
    operation = document()["paths"][path][method]
    found: dict[str, Any] = operation["responses"][str(status)]["content"]["application/json"]
    return dict(found["schema"])


class Checked:
    """A client that holds every success against the document, and counts what it has seen."""

    def __init__(self, api: Whole) -> None:
        self.api = api
        self.seen: set[tuple[str, str, int]] = set()

    async def send(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        ids = {
            name: more.pop(name)
            for name in ("campaign_id", "contact_id", "key_id", "import_id", "webhook_id")
            if name in more
        }
        query = more.pop("query", "")
        answer = await self.api.client.request(method, path.format(**ids) + query, **more)
        assert answer.status_code in (200, 202), (method, path, answer.text)
        shape: dict[str, Any] = answer.json()
        why = misfit(shape, success_of(method, path, answer.status_code))
        assert why is None, (method, path, why, json.dumps(shape)[:500])
        self.seen.add((method, path, answer.status_code))
        return shape

    async def lives(self) -> None:
        """Take campaigns through everything, and ask everything of them on the way."""
        contacts = [{"phone_number": f"555123000{n}", "name": "Ann"} for n in range(3)]
        made = await self.send("post", API, json=BODY | {"contacts": contacts})
        of_it = {"campaign_id": made["id"]}
        await self.send("post", f"{ONE}/contacts", json={"contacts": contacts}, **of_it)
        await self.send("put", ONE, json={"name": "B", "pending_import": {"a": [1]}}, **of_it)
        await self.send("patch", ONE, json={"advanced_settings": {"leaveVoicemail": True}}, **of_it)
        schedule = {"schedule_type": "scheduled", "scheduled_at": LATER}
        await self.send("post", f"{ONE}/schedule", json=schedule, **of_it)
        await self.send("post", f"{ONE}/start", **of_it)
        await self.send("get", f"{ONE}/schedule", **of_it)
        await self.send("post", f"{ONE}/unschedule", **of_it)
        file = (
            "file",
            (
                "x.csv",
                "phone,name\n5551230001,Ann\n5551230009,Bo\n5551230008,Di\nbad,Cy\n",
                "text/csv",
            ),
        )
        await self.send("post", f"{ONE}/import-data", files=[file], **of_it)
        await self.send("get", f"{ONE}/imports/{{import_id}}", import_id=1, **of_it)
        await self.send("post", f"{ONE}/start", query="?dry_run=true", **of_it)
        await self.send("post", f"{ONE}/start", **of_it)
        number = self.contact_numbers(made["id"])
        await call(self.api, made["id"], next(number), Disposition.ANSWERED)
        await call(self.api, made["id"], next(number), Disposition.NO_ANSWER)
        await self.send("post", f"{ONE}/pause", json={"reason": "x"}, **of_it)
        await self.send("get", f"{ONE}/pause", **of_it)
        await self.send("get", f"{ONE}/timeline", **of_it)
        await self.send("get", f"{ONE}/events", **of_it)
        await self.send("get", "/api/v1/events", query="?type=campaign-paused")
        await self.send("get", "/api/v1/event-types")
        await self.send("post", f"{ONE}/resume", **of_it)
        respond = {"headers": {"Prefer": "respond-async"}}
        await self.send("post", f"{ONE}/pause", **respond, **of_it)
        for path in (ONE, f"{ONE}/contacts", f"{ONE}/progress", f"{ONE}/executions"):
            await self.send("get", path, **of_it)
        await self.send("get", f"{ONE}/contacts/{{contact_id}}/why", contact_id=1, **of_it)
        await self.send("get", "/ws/campaigns/{campaign_id}/connections", **of_it)
        for verb in ("stop", "cancel"):
            other = await self.send(
                "post", API, json=BODY | {"contacts": contacts, "schedule": schedule}
            )
            await self.send("post", f"{ONE}/{verb}", campaign_id=other["id"])
            weekly = {"frequency": "weekly", "time": "09:00", "end_date": "2040-01-01"}
            again = {"schedule_type": "recurring", "recurring_config": weekly}
            body = {"contact_selection": "all"} | (
                {"schedule_settings": again} if verb == "stop" else {}
            )
            await self.send("post", f"{ONE}/re-execute", json=body, campaign_id=other["id"])
            await self.send("get", f"{ONE}/schedule", campaign_id=other["id"])
            await self.send("delete", ONE, query="?dry_run=true", campaign_id=other["id"])
            await self.send("delete", ONE, campaign_id=other["id"])
        await self.send("get", API)

    def contact_numbers(self, campaign_id: int) -> Iterator[int]:
        campaign = self.api.commands.campaigns.by_id[campaign_id]
        return iter(range(campaign.replaced_through + 1, campaign.contacts_end + 1))

    async def others(self) -> None:
        """Ask what is about no campaign."""
        await self.send("post", f"{API}/template-preview", json=TEMPLATE)
        await self.send("post", f"{API}/template-preview", json={"template": "{{"})
        made = await self.send("post", KEYS, json={"name": "x", "rate_limit": 5})
        await self.send("get", KEYS)
        await self.send("delete", f"{KEYS}/{{key_id}}", key_id=made["id"])
        body = {"url": "http://127.0.0.1:9/hook", "types": ["campaign-paused"]}
        await self.send("post", HOOKS, json=body, query="?dry_run=true")
        hook = {"webhook_id": (await self.send("post", HOOKS, json=body))["id"]}
        one = f"{HOOKS}/{{webhook_id}}"
        await self.send("patch", one, json={"description": "CRM"}, **hook)
        await self.send("post", f"{one}/rotate", **hook)
        await self.send("post", f"{one}/replay", json={"after": "beginning"}, **hook)
        await self.send("post", f"{one}/test", **hook)
        await self.send("get", HOOKS)
        await self.send("get", one, **hook)
        await self.send("delete", one, **hook)


async def test_every_success_is_as_the_document_says() -> None:
    async with whole_api() as api:
        checked = Checked(api)
        await checked.lives()
        await checked.others()
    operations = {
        (method, path) for path, methods in document()["paths"].items() for method in methods
    }
    assert {(method, path) for method, path, _ in checked.seen} == operations, "each was seen"
    assert ("post", f"{ONE}/pause", 202) in checked.seen


def examples() -> Iterator[tuple[str, dict[str, Any], object]]:
    """Yield every example of the document, with its schema."""
    for name, schema in document()["components"]["schemas"].items():
        for one in schema.get("examples", ()):
            yield name, {"$ref": f"#/components/schemas/{name}"}, one
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for one in content["schema"].get("examples", ()):
                    yield f"{method} {path}", content["schema"], one


@pytest.mark.parametrize(
    ("schema", "example"), [pytest.param(*one[1:], id=one[0]) for one in examples()]
)
def test_every_example_fits_its_schema(schema: dict[str, Any], example: object) -> None:
    assert misfit(example, schema) is None


def test_there_are_examples_and_a_wrong_one_would_be_noticed() -> None:
    assert {"CreateBody", "CampaignHalted", "ContactAnswer"} <= {name for name, _, _ in examples()}
    ref = {"$ref": "#/components/schemas/CampaignAnswer"}
    (right,) = document()["components"]["schemas"]["CampaignAnswer"]["examples"]
    assert misfit(right | {"more": 1}, ref) is not None
    assert misfit(right | {"created_at": "yesterday"}, ref) is not None
    assert misfit({key: right[key] for key in right if key != "metrics"}, ref) is not None


def test_every_body_has_an_example_and_every_success_a_schema() -> None:
    named = {name for name, _, _ in examples()}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            success = min(operation["responses"])
            assert success_of(method, path, int(success)), (method, path)
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                if kind != "application/json":
                    continue
                options = content["schema"].get("anyOf", [content["schema"]])
                names = {one.get("$ref", "").rpartition("/")[2] for one in options}
                assert names & named or f"{method} {path}" in named, (method, path)
