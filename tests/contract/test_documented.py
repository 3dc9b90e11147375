"""The documented contract's paths, parameters and bounds are all in the OpenAPI document.

Source: contract 1 and 8: what clients of the documented API rely on.
"""

from typing import Any

import pytest

from dialgate.application import document

API = "/api/v1/campaigns"
ONE = f"{API}/{{campaign_id}}"
PAGES = {"page": (1, None), "per_page": (1, 1000), "skip": (0, None), "limit": (1, 1000)}

# Method and path → documented success. Rows 1 to 18 and 21, and those that the SDKs need.
DOCUMENTED = {
    ("get", API): "200",
    ("post", API): "200",
    ("get", ONE): "200",
    ("put", ONE): "200",
    ("patch", ONE): "200",
    ("delete", ONE): "200",
    ("post", f"{ONE}/start"): "200",
    ("post", f"{ONE}/pause"): "200",
    ("post", f"{ONE}/resume"): "200",
    ("post", f"{ONE}/stop"): "200",
    ("post", f"{ONE}/cancel"): "200",
    ("post", f"{ONE}/re-execute"): "200",
    ("get", f"{ONE}/contacts"): "200",
    ("post", f"{ONE}/contacts"): "200",
    ("post", f"{ONE}/import-data"): "202",
    ("get", f"{ONE}/imports/{{import_id}}"): "200",
    ("get", f"{ONE}/progress"): "200",
    ("get", f"{ONE}/executions"): "200",
    ("get", f"{ONE}/schedule"): "200",
    ("post", f"{ONE}/schedule"): "200",
    ("post", f"{ONE}/unschedule"): "200",
    ("post", f"{API}/template-preview"): "200",
    ("get", "/ws/campaigns/{campaign_id}/connections"): "200",
}


@pytest.mark.parametrize(("method", "path"), DOCUMENTED)
def test_every_documented_operation_is_there_with_its_success(method: str, path: str) -> None:
    responses = document()["paths"][path][method]["responses"]
    assert DOCUMENTED[method, path] in responses
    assert "422" in responses


def parameters(method: str, path: str) -> dict[str, Any]:
    found = document()["paths"][path][method].get("parameters", [])
    return {one["name"]: _plain(one["schema"]) for one in found}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the one of its options that is not null."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    (only,) = options
    name = only.get("$ref", "").rpartition("/")[2]
    return dict(document()["components"]["schemas"][name]) if name else dict(only)


@pytest.mark.parametrize("path", [API, f"{ONE}/contacts", f"{ONE}/executions"])
def test_lists_take_both_kinds_of_paging_within_their_bounds(path: str) -> None:
    found = parameters("get", path)
    for name, (least, most) in PAGES.items():
        assert found[name]["type"] == "integer"
        assert found[name]["minimum"] == least
        assert most is None or found[name]["maximum"] == most
    assert "status" in found


def test_the_list_takes_every_documented_filter() -> None:
    found = parameters("get", API)
    assert {"status", "campaign_type", "assistant_id", "search"} <= found.keys()
    assert found["assistant_id"]["type"] == "integer"


def body(method: str, path: str) -> dict[str, Any]:
    content = document()["paths"][path][method]["requestBody"]["content"]
    (schema,) = (one["schema"] for one in content.values())
    return _plain(schema)


def test_a_create_requires_and_bounds_what_is_documented() -> None:
    found = body("post", API)
    assert set(found["required"]) == {"name", "campaign_type", "assistant_id"}
    fields = {name: _plain(one) for name, one in found["properties"].items()}
    assert (fields["name"]["minLength"], fields["name"]["maxLength"]) == (1, 200)
    assert fields["campaign_type"]["enum"] == ["call", "sms", "mixed"]
    assert (fields["max_attempts"]["minimum"], fields["max_attempts"]["maximum"]) == (1, 10)
    delay = fields["retry_delay_minutes"]
    assert (delay["minimum"], delay["maximum"]) == (5, 1440)
    assert fields["fallback_values"]["additionalProperties"]["type"] == "string"
    texts = {"welcome_message_template", "agenda_template", "end_call_message_template"}
    more = {"sms_message_template", "variable_mappings", "available_variables", "pending_import"}
    of_the_sdk = {"contacts", "phone_number_id", "schedule", "settings", "description"}
    guide = {"execution_settings", "advanced_settings"}
    assert texts | more | of_the_sdk | guide <= fields.keys()


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_requires_nothing(method: str) -> None:
    found = body(method, ONE)
    assert "required" not in found
    assert {"name", "description", "max_attempts", "settings", "schedule"} <= found[
        "properties"
    ].keys()


def test_an_import_takes_a_file_and_mappings() -> None:
    found = body("post", f"{ONE}/import-data")
    assert found["required"] == ["file"]
    assert found["properties"]["column_mappings"]["default"] == "{}"


def test_a_preview_requires_a_template_and_may_have_variables() -> None:
    found = body("post", f"{API}/template-preview")
    assert found["required"] == ["template"]
    assert "variables" in found["properties"]
