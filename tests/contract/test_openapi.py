"""The OpenAPI document says what every operation can answer, and answers are as it says."""

from typing import Any

import httpx
import pytest

from dialgate.application import document, make_app
from tests.support.broken_way import Way
from tests.support.several_apis import CONTACTS, Instance, in_memory, virtually
from tests.support.whole_api import BODY, CAMPAIGNS, LIMITS

OPERATIONS = [
    (method, path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
NAMES = [f"{method.upper()} {path}" for method, path, _ in OPERATIONS]
MOVES = ("start", "pause", "resume", "stop", "cancel")


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_lists_every_status_it_can_answer(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    expected = {"400", "401", "422", "429", "503"}
    if not operation.get("parameters") and "requestBody" not in operation:
        expected.discard("422")  # Nothing that could be wrong.
    of_one = "{campaign_id}" in path
    if of_one:
        expected.add("404")
    if method != "get":
        expected |= {"403", "413"}
    halts = method == "post" and path.endswith(("/pause", "/stop", "/cancel"))
    if halts or (of_one and method == "delete"):
        expected.add("202")
    if (
        of_one
        and method != "get"
        and (path.endswith((*MOVES, "/re-execute", "schedule")) or method != "post")
    ):
        expected.add("412")
    if (method, path) == ("get", f"{CAMPAIGNS}/{{campaign_id}}"):
        expected.add("403")
    success = "202" if path.endswith("/import-data") else "200"
    assert expected | {success} <= set(operation["responses"])


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own() -> None:
    assert all(operation["description"] for _, _, operation in OPERATIONS)
    named = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(named)) == len(named)


def test_every_operation_asks_for_a_bearer_key() -> None:
    written = document()
    assert written["security"] == [{"bearer": []}]
    assert written["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert not any("security" in operation for _, _, operation in OPERATIONS)


def test_every_command_takes_an_idempotency_key() -> None:
    for method, path, operation in OPERATIONS:
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        unkeyed = path.endswith(("/template-preview", "{webhook_id}/test")) or "/keys" in path
        keyed = method != "get" and not unkeyed
        assert ("idempotency-key" in names) == keyed, path


def test_whatever_a_process_runs_it_serves_the_whole_document() -> None:
    assert make_app([], []).openapi() == document()


def fits(shape: Any, schema: dict[str, Any]) -> bool:
    """Say whether JSON is as a schema of this document says: what they use of JSON Schema."""
    if name := schema.get("$ref"):
        return fits(shape, document()["components"]["schemas"][name.rpartition("/")[2]])
    if options := schema.get("anyOf"):
        return any(fits(shape, option) for option in options)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if not isinstance(shape, kinds[schema["type"]]):
        return False
    if isinstance(shape, list):
        return all(fits(one, schema["items"]) for one in shape)
    if isinstance(shape, dict):
        known = schema.get("properties", {})
        return all(name in shape for name in schema.get("required", [])) and all(
            fits(value, known[name]) for name, value in shape.items() if name in known
        )
    return True


async def answers_of(one: Instance, way: Way) -> list[tuple[str, int, Any]]:
    """Provoke every error there is; return path, status and body of each."""
    draft, running = await one.create(), await one.running()
    found: list[tuple[str, int, Any]] = []
    large = "x" * (LIMITS.body_max_bytes + 1)

    def note(path: str, *answers: httpx.Response) -> None:
        found.extend((path, answer.status_code, answer.json()) for answer in answers)

    for move in MOVES:
        wrong = draft if move != "start" else running
        path = f"/{{campaign_id}}/{move}"
        note(path, await one.post(f"/{wrong}/{move}"), await one.post(f"/999/{move}"))
        note(path, await one.post(f"/abc/{move}"), await one.post(f"/{running}/{move}", bearer="x"))
        note(path, await one.post(f"/{running}/{move}", content=large))
        way.away = True
        note(path, await one.post(f"/{wrong}/{move}"))
        way.away = False
    for body in ({}, BODY | {"contacts": CONTACTS * 5_000}, BODY | {"contacts": [{}]}):
        note("", await one.post("", json=body))
    return found


@virtually
async def test_errors_are_as_the_document_says() -> None:
    world = in_memory()
    way = Way(world.log)
    async with world.instance(log=way) as one:
        found = await answers_of(one, way)
    for path, status, shape in found:
        responses = document()["paths"][f"{CAMPAIGNS}{path}"]["post"]["responses"]
        assert str(status) in responses, (path, status)
        schema = responses[str(status)]["content"]["application/json"]["schema"]
        assert fits(shape, schema), (path, status, shape)
    assert {status for _, status, _ in found} == {400, 401, 404, 413, 422, 503}


def test_a_shape_that_does_not_fit_is_noticed() -> None:
    schema = document()["components"]["schemas"]["HTTPValidationError"]
    assert fits({"detail": [{"loc": ["body", 0], "msg": "no", "type": "x"}]}, schema)
    assert not fits({"detail": "no"}, schema)
    assert not fits({"detail": [{"msg": "no", "type": "x"}]}, schema)
