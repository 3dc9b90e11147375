"""Whatever any endpoint is sent, it answers the contract's error, and the log is as it was."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from campaigns.part import Part
from dialgate.application import document
from projector.pages.visitor import PageRoute
from tests.support.import_world import people
from tests.support.whole_api import BODY, CAMPAIGNS, LIMITS, Whole, whole_api

JSON = {"Content-Type": "application/json"}
MOVES = ["start", "resume", "pause", "stop", "cancel"]
CONNECTIONS = "/ws/campaigns/{campaign_id}/connections"
GETS = [
    "",
    CONNECTIONS,
    "/progress",
    "/schedule",
    "/pause",
    "/timeline",
    "/events",
    "/contacts",
    "/executions",
    "/imports/1",
    "/contacts/1/why",
]
POSTS = [*(f"/{move}" for move in MOVES), "/contacts", "/import-data"]
POSTS += ["/re-execute", "/schedule", "/unschedule"]
CHANGES = [(method, "") for method in ("PUT", "PATCH", "DELETE")]
OF_ONE = [*(("GET", path) for path in GETS), *(("POST", path) for path in POSTS), *CHANGES]


@pytest.fixture
async def api() -> AsyncIterator[Whole]:
    async with whole_api() as api:
        yield api


def refusal_of(answer: Any, status: int) -> Any:
    """Return the detail of an error answer: an object with a text, or FastAPI's list."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    detail = answer.json()["detail"]
    if status == 422 and isinstance(detail, list):
        assert detail
        assert all({"loc", "msg", "type"} <= set(error) for error in detail)
    else:
        assert isinstance(detail, str)
        assert detail
    return detail


async def good(api: Whole, method: str, path: str, campaign_id: object = 1) -> Any:
    """Send what would be a good request if the campaign were there."""
    url = f"{CAMPAIGNS}/{campaign_id}{path}"
    if path == CONNECTIONS:
        url = path.format(campaign_id=campaign_id)
    if path == "/import-data":
        return await api.client.post(url, files={"file": ("a.csv", people([1]))})
    if path == "/contacts" and method == "POST":
        return await api.client.post(url, json={"contacts": []})
    if path == "/re-execute":
        return await api.client.post(url, json={"contact_selection": "all"})
    if path == "/schedule" and method == "POST":
        return await api.client.post(url, json={"schedule_type": "immediate"})
    if method in ("PUT", "PATCH"):
        return await api.client.request(method, url, json={})
    return await api.client.request(method, url)


def test_every_endpoint_is_in_the_table() -> None:
    paths = {
        (method.upper(), path.removeprefix(f"{CAMPAIGNS}/{{campaign_id}}"))
        for path, methods in document()["paths"].items()
        for method in methods
        if "campaign_id" in path and method != "head"
    }
    known = {
        (
            method,
            path.replace("/imports/1", "/imports/{import_id}").replace(
                "/contacts/1/", "/contacts/{contact_id}/"
            ),
        )
        for method, path in OF_ONE
    }
    assert paths == known


@pytest.mark.parametrize(
    "campaign_id",
    [
        "abc",
        "0",
        "-1",
        "1.5",
        "1e3",
        str(2**53),
        "9" * 30,
        "9" * 5000,
        "%00",
        "null",
        "%F0%9F%98%80",
    ],
)
async def test_an_id_that_is_none_is_422(api: Whole, campaign_id: str) -> None:
    ends = await api.ends()
    for method, path in OF_ONE:
        (error,) = refusal_of(await good(api, method, path, campaign_id), 422)
        assert error["loc"] == ["path", "campaign_id"], (method, path)
    assert await api.ends() == ends


@pytest.mark.parametrize("campaign_id", [1, 999, 2**53 - 1])
async def test_a_campaign_that_is_not_there_is_404(api: Whole, campaign_id: int) -> None:
    ends = await api.ends()
    for method, path in OF_ONE:
        detail = refusal_of(await good(api, method, path, campaign_id), 404)
        assert detail == "Campaign not found", (method, path)
    assert await api.ends() == ends


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic one", "one"])
async def test_without_a_key_it_is_401_and_nothing_else(api: Whole, given: str | None) -> None:
    campaign_id, ends = await api.create(), None
    ends = await api.ends()
    api.client.headers.pop("Authorization")
    if given is not None:
        api.client.headers["Authorization"] = given
    for method, path in OF_ONE:
        answer = await good(api, method, path, campaign_id)
        assert refusal_of(answer, 401) == "Invalid or missing API key", (method, path)
    for answer in (
        await api.client.get(CAMPAIGNS),
        await api.client.post(CAMPAIGNS, json=BODY),
    ):
        refusal_of(answer, 401)
    assert await api.ends() == ends


async def test_another_organization_learns_nothing(api: Whole) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    api.client.headers["Authorization"] = "Bearer two"
    for method, path in OF_ONE:
        # Documented for the campaign itself, and only there (contract 9.10).
        status = 403 if (method, path) == ("GET", "") else 404
        refusal_of(await good(api, method, path, campaign_id), status)
    assert await api.ends() == ends


NOT_JSON: list[tuple[bytes, dict[str, str]]] = [
    (b"{", JSON),
    (b'{"contacts": [}', JSON),
    (b"\xff\xfe", JSON),
    (b'"\\u00', JSON),
    (b"[" * 20_000, JSON),
    (b'{"contacts":' + b"[" * 20_000, JSON),
]
NO_OBJECT: list[tuple[bytes, dict[str, str]]] = [
    (b"[]", JSON),
    (b"5", JSON),
    (b"true", JSON),
    (b'"contacts"', JSON),
    (b"NaN", JSON),
    (b"9" * 5000, JSON),
    (json.dumps(BODY).encode(), {"Content-Type": "text/plain"}),
    (b"name=x&contacts=y", {"Content-Type": "application/x-www-form-urlencoded"}),
    (b"--x\r\n\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
]


@pytest.mark.parametrize(("body", "headers"), [*NOT_JSON, *NO_OBJECT])
async def test_a_body_that_is_no_json_object_is_refused(
    api: Whole, body: bytes, headers: dict[str, str]
) -> None:
    campaign_id = await api.create(contacts=[{"phone_number": "5551234567"}])
    ends = await api.ends()
    for path in ("", *(f"/{campaign_id}/{move}" for move in [*MOVES, "contacts"])):
        answer = await api.client.post(f"{CAMPAIGNS}{path}", content=body, headers=headers)
        # Where the parser gives up on the bytes themselves, FastAPI says 400.
        refusal_of(answer, 400 if answer.status_code == 400 else 422)
    assert await api.ends() == ends


def posts(api: Whole) -> list[APIRoute]:
    """Return every POST of the application, whatever class of route it is."""
    parts: tuple[Part, ...] = (api.commands, api.projector)
    every = [route for part in parts for router in part.routers() for route in router.routes]
    found = [
        one
        for one in every
        if "POST" in (getattr(one, "methods", None) or ()) and not isinstance(one, PageRoute)
    ]
    assert all(isinstance(route, APIRoute) for route in found)
    return [route for route in found if isinstance(route, APIRoute)]


async def webhook_id_of(api: Whole) -> str:
    """Create a webhook whose receiver nobody is; return its id."""
    made = await api.client.post("/api/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    return str(made.json()["id"])


@pytest.mark.parametrize("headers", [{}, JSON, {"Content-Length": "0"}])
async def test_every_post_is_tried_with_an_empty_body(api: Whole, headers: dict[str, str]) -> None:
    """A route that needs a body says that it is missing; any other takes an empty one as {}."""
    tried, missing = set(), set()
    for route in posts(api):
        twins = [await api.create() for _ in range(2)]
        ends = await api.ends()
        hooks = (
            [await webhook_id_of(api) for _ in range(2)] if "webhook_id" in route.path else twins
        )
        ends = await api.ends()
        url = [
            route.path.format(campaign_id=one, webhook_id=hook)
            for one, hook in zip(twins, hooks, strict=True)
        ]
        answer = await api.client.post(url[0], headers=headers)
        tried.add(route.path)
        if route.body_field is not None and route.body_field.field_info.is_required():
            missing.add(route.path)
            assert refusal_of(answer, 422)[0]["type"] == "missing", route.path
            assert await api.ends() == ends
            continue
        whole = await api.client.post(url[1], json={})
        assert answer.status_code == whole.status_code, route.path
        if "webhook_id" not in route.path:  # Each has its own id and secret.
            assert answer.text == whole.text, route.path
        assert answer.status_code in (200, 400), "and none is at a loss"
    paths = document()["paths"]
    assert {path for path, methods in paths.items() if "post" in methods} <= tried
    assert {path.removeprefix(f"{CAMPAIGNS}/{{campaign_id}}") for path in missing} == {
        CAMPAIGNS,
        f"{CAMPAIGNS}/template-preview",
        "/api/v1/keys",
        "/api/v1/webhooks",
        "/api/v1/webhooks/{webhook_id}/replay",
        "/contacts",
        "/import-data",
    }


NOT_FINITE = [
    (b'{"x": NaN}', "variables", "pending_import"),
    (b'{"x": [Infinity]}', "variables", "pending_import"),
    (b'{"x": {"y": -Infinity}}', "variables", "pending_import"),
    (b'{"x": 1e400}', "variables", "pending_import"),
    (b'{"x": NaN}', "variables", "fallback_values"),
]


@pytest.mark.parametrize(("given", "of_contact", "of_campaign"), NOT_FINITE)
async def test_a_number_that_is_not_finite_is_refused_and_never_read_as_null(
    api: Whole, given: bytes, of_contact: str, of_campaign: str
) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    contact = b'{"phone_number":"5551234567","%b":%b}' % (of_contact.encode(), given)
    least = json.dumps(BODY).encode()[:-1]
    for path, body in (
        (f"/{campaign_id}/contacts", b'{"contacts":[%b]}' % contact),
        ("", least + b',"contacts":[%b]}' % contact),
        ("", least + b',"%b":%b}' % (of_campaign.encode(), given)),
        ("", least + b',"settings":{"calls_per_minute":NaN}}'),
        ("/template-preview", b'{"template":"x","variables":%b}' % given),
        (f"/{campaign_id}/pause", b'{"reason":NaN}'),
    ):
        answer = await api.client.post(f"{CAMPAIGNS}{path}", content=body, headers=JSON)
        (error, *_) = refusal_of(answer, 422)
        if b"contacts" in body:
            assert error["loc"] == ["body", "contacts", 0, "variables"]
    answer = await api.client.put(
        f"{CAMPAIGNS}/{campaign_id}", content=b'{"pending_import":%b}' % given, headers=JSON
    )
    refusal_of(answer, 422)
    assert await api.ends() == ends


HUGE = 10**30
BAD_CREATES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"name": None}, ("name",)),
    ({"name": ""}, ("name",)),
    ({"name": 5}, ("name",)),
    ({"name": "x" * 201}, ("name",)),
    ({"assistant_id": None}, ("assistant_id",)),
    ({"assistant_id": "abc"}, ("assistant_id",)),
    ({"assistant_id": 0}, ("assistant_id",)),
    ({"assistant_id": -1}, ("assistant_id",)),
    ({"assistant_id": HUGE}, ("assistant_id",)),
    ({"assistant_id": 1.5}, ("assistant_id",)),
    ({"campaign_type": "fax"}, ("campaign_type",)),
    ({"campaign_type": None}, ("campaign_type",)),
    ({"description": 5}, ("description",)),
    ({"fallback_values": []}, ("fallback_values",)),
    ({"fallback_values": {"a": 5}}, ("fallback_values", "a")),
    ({"variable_mappings": {"a": []}}, ("variable_mappings", "a")),
    ({"available_variables": "name"}, ("available_variables",)),
    ({"max_attempts": 0}, ("max_attempts",)),
    ({"max_attempts": 11}, ("max_attempts",)),
    ({"retry_delay_minutes": 4}, ("retry_delay_minutes",)),
    ({"settings": []}, ("settings",)),
    ({"settings": {"max_concurrent_calls": 0}}, ("settings", "max_concurrent_calls")),
    ({"settings": {"calls_per_minute": 60_001}}, ("settings", "calls_per_minute")),
    ({"settings": {"calls_per_minute": HUGE}}, ("settings", "calls_per_minute")),
    ({"settings": {"leave_voicemail": "perhaps"}}, ("settings", "leave_voicemail")),
    ({"max_attempts": 3, "settings": {"max_attempts": 4}}, ("settings", "max_attempts")),
    ({"phone_number_id": -1}, ("phone_number_id",)),
    ({"pending_import": []}, ("pending_import",)),
    ({"pending_import": {"rows": HUGE}}, ()),
    ({"pending_import": {"deep": json.loads("[" * 500 + "]" * 500)}}, ()),
    ({"schedule": "daily"}, ("schedule",)),
    ({"contacts": {}}, ("contacts",)),
    ({"contacts": "5551234567"}, ("contacts",)),
    ({"contacts": [{"phone_number": "x"}]}, ("contacts", "0", "phone_number")),
]


@pytest.mark.parametrize(("more", "loc"), BAD_CREATES)
async def test_a_create_that_is_out_of_bounds_is_422(
    api: Whole, more: dict[str, Any], loc: tuple[str, ...]
) -> None:
    ends = await api.ends()
    for path in (CAMPAIGNS, f"{CAMPAIGNS}/"):
        errors = refusal_of(await api.client.post(path, json=BODY | more), 422)
        found = [".".join(map(str, error["loc"])) for error in errors]
        assert any(".".join(("body", *loc)) in where for where in found), found
    assert await api.ends() == ends


@pytest.mark.parametrize("missing", sorted(BODY))
async def test_a_create_names_what_is_missing(api: Whole, missing: str) -> None:
    ends = await api.ends()
    body = {name: value for name, value in BODY.items() if name != missing}
    (error,) = refusal_of(await api.client.post(CAMPAIGNS, json=body), 422)
    assert (error["loc"], error["type"]) == (["body", missing], "missing")
    assert await api.ends() == ends


# Text that JSON can spell and UTF-8 cannot, and text that databases do not take.
ODD = ['"\\ud800"', '"a\\u0000b"']


@pytest.mark.parametrize("odd", ODD)
async def test_odd_text_is_refused_wherever_it_stands(api: Whole, odd: str) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    contact = '{"phone_number": "5551234567", "name": %s}'
    start = '{"name": "x", "assistant_id": 1, "campaign_type": "call", '
    bodies = {
        "": [
            '{"name": %s, "assistant_id": 1, "campaign_type": "call"}',
            start + '"description": %s}',
            '{"name": "x", "assistant_id": 1, "campaign_type": %s}',
            start + '"contacts": [%s]}',
            start + '"contacts": [' + contact + "]}",
            start + '"fallback_values": {%s: "x"}}',
            start + '"pending_import": {"x": %s}}',
            start + '"available_variables": [%s]}',
        ],
        f"/{campaign_id}/contacts": [
            '{"contacts": %s}',
            '{"contacts": [%s]}',
            '{"contacts": [{"phone_number": %s}]}',
            '{"contacts": [' + contact + "]}",
            '{"contacts": [{"phone_number": "5551234567", "variables": {%s: "x"}}]}',
        ],
        f"/{campaign_id}/start": ['{"reason": %s}'],
        f"/{campaign_id}/pause": ['{"reason": %s}'],
    }
    for path, templates in bodies.items():
        for template in templates:
            body = (template % odd).encode()
            answer = await api.client.post(f"{CAMPAIGNS}{path}", content=body, headers=JSON)
            status = 400 if path.endswith(("start", "pause")) and answer.status_code == 400 else 422
            refusal_of(answer, status)
    assert await api.ends() == ends


BAD_CONTACTS: list[tuple[Any, list[object], str]] = [
    ({}, ["contacts"], "missing"),
    ({"contacts": None}, ["contacts"], "list_type"),
    ({"contacts": {}}, ["contacts"], "list_type"),
    ({"contacts": [None]}, ["contacts", 0], "dict_type"),
    ({"contacts": [{}]}, ["contacts", 0, "phone_number"], "missing"),
    ({"contacts": [{"phoneNumber": 5}]}, ["contacts", 0, "phone_number"], "string_type"),
    (
        {"contacts": [{"phone_number": "5551234567"}, {"phone_number": "0"}]},
        ["contacts", 1, "phone_number"],
        "value_error",
    ),
    (
        {"contacts": [{"phone_number": "5551234567", "variables": "x"}]},
        ["contacts", 0, "variables"],
        "dict_type",
    ),
]


@pytest.mark.parametrize(("body", "loc", "kind"), BAD_CONTACTS)
async def test_contacts_that_cannot_be_used_are_422(
    api: Whole, body: Any, loc: list[object], kind: str
) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/contacts", json=body)
    (error,) = refusal_of(answer, 422)
    assert (error["loc"], error["type"]) == (["body", *loc], kind)
    assert await api.ends() == ends


async def test_what_is_too_much_is_413(api: Whole) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    contacts = [{"phone_number": f"555{n:07d}"} for n in range(201)]
    large = json.dumps(BODY | {"description": "x" * LIMITS.body_max_bytes}).encode()

    async def in_pieces() -> AsyncIterator[bytes]:  # Without a Content-Length.
        for first in range(0, len(large), 1000):
            yield large[first : first + 1000]

    for path in ("", *(f"/{campaign_id}/{move}" for move in [*MOVES, "contacts"])):
        url = f"{CAMPAIGNS}{path}"
        refusal_of(await api.client.post(url, content=large, headers=JSON), 413)
        refusal_of(await api.client.post(url, content=in_pieces(), headers=JSON), 413)
    for path, body in (("", BODY), (f"/{campaign_id}/contacts", {})):
        answer = await api.client.post(f"{CAMPAIGNS}{path}", json=body | {"contacts": contacts})
        refusal_of(answer, 413)
    status, _ = await api.upload(campaign_id, people(range(20_001)))
    assert status == 413
    status, _ = await api.upload(campaign_id, "phone\n" + "x" * LIMITS.upload_max_bytes)
    assert status == 413
    assert await api.ends() == ends


BAD_FILES: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"\n\n", "empty"),
    (b"\xef\xbb\xbf", "empty"),
    (b"phone\n", "no usable row"),
    (b"phone\nnonsense\n555\n", "no usable row"),
    (b"name,email\nAnn,a@b.ch\n", "No phone number column"),
    (b"name;email\nAnn;a@b.ch\n", "No phone number column"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "not UTF-8"),
    ("phone\n5551234567\n".encode("utf-16") + b"\n", "not UTF-16"),
    (b"phone\n5551234567\0\n", "NUL"),
    (b'phone\n"5551234567\n', "quotation mark"),
    (b"phone\n" + b"5" * 200_000, "longer than"),
    (b",".join([b"phone"] * 200) + b"\n5551234567\n", "columns"),
    (people(range(10_500)).encode() + b"\xff\n", "not UTF-8"),
]


@pytest.mark.parametrize(("file", "why"), BAD_FILES)
async def test_a_file_that_cannot_be_imported_is_400(api: Whole, file: bytes, why: str) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    status, answer = await api.upload(campaign_id, file)
    assert (status, why in answer["detail"]) == (400, True), answer
    assert await api.ends() == ends


@pytest.mark.parametrize("mappings", ["{", "[]", "5", "null", '{"a": 5}', "[" * 100_000])
async def test_mappings_that_are_none_are_400(api: Whole, mappings: str) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    status, answer = await api.upload(campaign_id, people([1]), column_mappings=mappings)
    assert (status, "column_mappings" in answer["detail"]) == (400, True)
    assert await api.ends() == ends


async def test_an_upload_that_is_no_file_is_422_or_400(api: Whole) -> None:
    campaign_id = await api.create()
    ends = await api.ends()
    url = f"{CAMPAIGNS}/{campaign_id}/import-data"
    (error,) = refusal_of(await api.client.post(url), 422)
    assert (error["loc"], error["type"]) == (["body", "file"], "missing")
    for answer in (
        await api.client.post(url, data={"file": "phone"}),
        await api.client.post(url, files={"other": ("a.csv", people([1]))}),
        await api.client.post(url, json={"file": "phone\n5551234567"}),
        await api.client.post(
            url, content=b"phone\n5551234567", headers={"Content-Type": "text/csv"}
        ),
    ):
        refusal_of(answer, 422)
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = await api.client.post(
            url, content=b"--y\r\nnonsense", headers={"Content-Type": content_type}
        )
        refusal_of(answer, 400 if answer.status_code == 400 else 422)
    many = {"file": ("a.csv", people([1]))} | {f"f{n}": ("b", b"x") for n in range(1001)}
    refusal_of(await api.client.post(url, files=many), 400)
    assert await api.ends() == ends


async def test_bad_rows_and_a_bom_are_no_error(api: Whole) -> None:
    campaign_id = await api.create()
    status, answer = await api.upload(campaign_id, "\ufeffphone\n5551234567\nnonsense\n\n")
    assert (status, answer["imported_count"], answer["failed_count"]) == (202, 1, 1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\people.csv", "\N{GRINNING FACE}" * 300])
async def test_a_file_name_is_kept_as_a_name(api: Whole, name: str) -> None:
    campaign_id = await api.create()
    url = f"{CAMPAIGNS}/{campaign_id}/import-data"
    answer = await api.client.post(url, files={"file": (name, people([1]))})
    assert answer.status_code == 202
    kept = answer.json()["file_name"]
    assert kept in {"passwd", "people.csv", "\N{GRINNING FACE}" * 255}


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_that_is_none_is_422(api: Whole, key: str) -> None:
    campaign_id = await api.create(contacts=[{"phone_number": "5551234567"}])
    ends = await api.ends()
    api.client.headers["Idempotency-Key"] = key
    for path in POSTS:
        refusal_of(await good(api, "POST", path, campaign_id), 422)
    refusal_of(await api.client.post(CAMPAIGNS, json=BODY), 422)
    assert await api.ends() == ends


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?campaign_type=fax", 400),
        ("?skip=-1", 422),
        ("?skip=x", 422),
        (f"?skip={HUGE}", 422),
        ("?limit=0", 422),
        ("?limit=1001", 422),
        ("?page=0", 422),
        (f"?page={HUGE}", 422),
        ("?per_page=0", 422),
        ("?per_page=1001", 422),
        ("/1/contacts?status=asleep", 400),
        ("/1/contacts?per_page=1001", 422),
        ("/1/contacts?skip=-1", 422),
        ("/1/executions?per_page=1001", 422),
        ("/1/imports/abc", 422),
        ("/1/imports/0", 422),
        ("/1/imports/-1", 422),
        (f"/1/imports/{HUGE}", 422),
        ("/1/imports/5", 404),
        ("/1?consistency=perhaps", 422),
    ],
)
async def test_a_query_out_of_bounds_is_refused(api: Whole, path: str, status: int) -> None:
    while await api.create() != 1:  # Ids of two partitions.
        continue
    ends = await api.ends()
    refusal_of(await api.client.get(f"{CAMPAIGNS}{path}"), status)
    assert await api.ends() == ends


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "", 405),
        ("POST", "/1", 405),
        ("GET", "/1/start", 405),
        ("GET", "/1/import-data", 405),
        ("GET", "/1/nothing", 404),
        ("GET", "/1/imports", 404),
    ],
)
async def test_what_there_is_not_is_404_or_405(
    api: Whole, method: str, path: str, status: int
) -> None:
    refusal_of(await api.client.request(method, f"{CAMPAIGNS}{path}"), status)
