"""API keys over HTTP and by `dialgate keys`: made, scoped, limited, listed, revoked."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from campaigns.domain.api_keys import key_hash
from campaigns.domain.facts import ApiKeyCreated
from campaigns.records.topics import ORGANIZATIONS
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from dialgate.__main__ import cli
from tests.support.ear import is_type, listening
from tests.support.several_apis import CONTACTS
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

KEYS = "/api/v1/keys"
SECRET = re.compile(r"dg_live_[A-Za-z0-9_-]{43}")


async def made(api: Whole, **body: Any) -> dict[str, Any]:
    answer = await api.client.post(KEYS, json=body)
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


async def ask(api: Whole, key: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await api.client.request(method, path, headers=headers, **more)


async def test_a_key_is_shown_once_and_works_at_once() -> None:
    async with whole_api() as api:
        shape = await made(api, name="CI", scope="operate", rate_limit=600)
        key = shape.pop("key")
        assert SECRET.fullmatch(key)
        assert shape["key_prefix"] == key[:12]
        assert (shape["name"], shape["rate_limit"], shape["is_active"]) == ("CI", 600, True)
        assert shape["permissions"] == ["read", "operate"]
        listed = (await api.client.get(KEYS)).json()
        assert (listed["keys"], listed["total"]) == ([shape], 1)
        assert key not in json.dumps(listed)
        created = await ask(api, key, "POST", CAMPAIGNS, json=BODY)
        assert created.status_code == 200
        assert (await ask(api, key, "GET", CAMPAIGNS)).json()["total"] == 1


async def test_a_key_may_do_what_its_scope_says() -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=CONTACTS)
        start, one = f"{CAMPAIGNS}/{campaign_id}/start", f"{CAMPAIGNS}/{campaign_id}"
        asked = [
            ("read", "GET", one, None),
            ("read", "POST", f"{CAMPAIGNS}/template-preview", {"template": "x"}),
            ("operate", "POST", start, None),
            ("operate", "PATCH", one, {}),
            ("operate", "DELETE", one, None),
            ("admin", "GET", KEYS, None),
            ("admin", "POST", KEYS, {}),
        ]
        scopes = ["read", "operate", "admin"]
        for scope in scopes:
            key = (await made(api, scope=scope))["key"]
            for needed, method, path, body in asked:
                answer = await ask(api, key, method, path, json=body)
                if scopes.index(scope) >= scopes.index(needed):
                    assert answer.status_code != 403, (scope, path)
                else:
                    detail = f"This key may not do that: it needs the scope '{needed}'"
                    assert (answer.status_code, answer.json()) == (403, {"detail": detail})


async def test_a_revoked_key_is_none_any_more() -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=CONTACTS)
        shape = await made(api)
        key, path = shape["key"], f"/ws/campaigns/{campaign_id}/progress?token={shape['key']}"
        async with listening(api.app, path) as ear:
            await ear.until(is_type("progress_update"))
            for _ in range(2):  # The second is so already.
                answer = await api.client.delete(f"{KEYS}/{shape['id']}")
                assert (answer.status_code, answer.json()["is_active"]) == (200, False)
            assert (await ask(api, key, "POST", CAMPAIGNS, json=BODY)).status_code == 401
            (listed,) = (await api.client.get(KEYS)).json()["keys"]
            assert listed["revoked_at"] is not None
            assert (await ask(api, key, "GET", CAMPAIGNS)).status_code == 401
            ear.say({"type": "request_update"})
            assert await ear.closed() == 1008


async def test_another_organizations_keys_are_not_there() -> None:
    async with whole_api() as api:
        shape = await made(api)
        assert (await ask(api, "two", "GET", KEYS)).json()["keys"] == []
        gone = await ask(api, "two", "DELETE", f"{KEYS}/{shape['id']}")
        assert (gone.status_code, gone.json()) == (404, {"detail": "Key not found"})
        theirs = await ask(api, "two", "POST", KEYS, json={})
        assert (await ask(api, theirs.json()["key"], "GET", KEYS)).status_code == 403
        assert (await ask(api, shape["key"], "GET", CAMPAIGNS)).status_code == 200


async def test_a_key_that_asks_too_often_is_told_when_to_come_again() -> None:
    async with whole_api() as api:
        key = (await made(api, rate_limit=60))["key"]
        for path, method in ((CAMPAIGNS, "GET"), (f"{CAMPAIGNS}/1/pause", "POST")):
            answers = [await ask(api, key, method, path) for _ in range(14)]
            late = [answer for answer in answers if answer.status_code == 429]
            assert late, "each service counts on its own"
            assert late[0].headers["Retry-After"].isdigit()
            assert late[0].json() == {"detail": "This key asks too often"}
            assert answers[0].status_code != 429


@pytest.mark.parametrize(
    "body",
    [{"scope": "everything"}, {"rate_limit": 0}, {"name": ""}, {"name": "x" * 201}, []],
)
async def test_a_key_that_cannot_be_is_422(body: object) -> None:
    async with whole_api() as api:
        assert (await api.client.post(KEYS, json=body)).status_code == 422
        assert (await api.client.delete(f"{KEYS}/nonsense")).status_code == 422
        assert (await api.client.delete(f"{KEYS}/{'0' * 16}")).status_code == 404


class Shell:
    """`dialgate keys`, on a data directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.environment = {"DIALGATE_DATA_DIR": str(folder), "DIALGATE_API_KEY": ""}

    def run(self, *words: str, status: int = 0) -> str:
        found = CliRunner().invoke(cli, ["keys", *words], env=self.environment)
        assert found.exit_code == status, found.output
        return found.output

    def shapes(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]


def test_keys_are_made_listed_and_revoked_on_the_log_itself(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell.run("list") == ""
    text = shell.run("create", "--scope", "admin", "--name", "first")
    assert SECRET.search(text)
    (other,) = shell.shapes("create", "--organization", "7")
    assert (other["scope"], other["is_active"]) == ("operate", True)
    (first,) = shell.shapes("list")
    assert (first["name"], first["scope"]) == ("first", "admin")
    assert "Key not found" in shell.run("revoke", other["id"], status=1)
    assert "revoked" in shell.run("revoke", first["id"])
    assert not shell.shapes("list")[0]["is_active"]
    assert shell.shapes("list", "--organization", "7")[0]["is_active"]


@pytest.mark.parametrize(
    "name", ["\x1b[2Jx", "\x9b2Jx", "a\u202eb", "two\nlines", "\x07", "\ufeffx"]
)
async def test_a_name_that_would_steer_a_terminal_is_none(name: str, tmp_path: Path) -> None:
    async with whole_api() as api:
        assert (await api.client.post(KEYS, json={"name": name})).status_code == 422
        await made(api, name="Größe नाम 👩‍👩‍👧")
    if "\0" not in name:
        said = await asyncio.to_thread(Shell(tmp_path).run, "create", "--name", name, status=2)
        assert "control characters" in said
        assert name not in said


def test_what_a_build_before_took_for_a_name_does_not_steer_the_terminal(tmp_path: Path) -> None:
    async def written() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.open()
        for organization, name in enumerate(("\x1b[2J\x9b31m\u202eboss", "a\nforged  line"), 1):
            fact = ApiKeyCreated(
                organization_id=organization, key_hash=key_hash(name), key_prefix="dg_live_ab",
                name=name, created_at=NOON,
            )  # fmt: skip
            await log.append(ORGANIZATIONS, offered(fact), organization)
        await log.close()

    asyncio.run(written())
    shell, environment = Shell(tmp_path), Shell(tmp_path).environment
    for organization in ("1", "2"):
        text = shell.run("list", "--organization", organization)
        assert len(text.splitlines()) == 1
        assert text.strip().isprintable()
    for words in (["replay"], ["replay", "--json"]):
        found = CliRunner().invoke(cli, words, env=environment)
        assert found.exit_code == 0, found.output
        assert found.output.replace("\n", "").isprintable()
    (shown,) = shell.shapes("list")
    assert shown["name"] == "\x1b[2J\x9b31m\u202eboss", "JSON is what it was"


@pytest.mark.parametrize("verb", ["up", "command-api", "projector"])
def test_weak_and_double_keys_end_the_start(tmp_path: Path, verb: str) -> None:
    for more, says in (
        ({"DIALGATE_API_KEY": "a"}, "DIALGATE_API_KEY: expected a key of at least 6 characters"),
        ({"DIALGATE_API_KEY": "try-me", "DIALGATE_HOST": "0.0.0.0"}, "at least 16 characters"),
        ({"DIALGATE_API_KEY": "same-key", "DIALGATE_API_KEYS": "same-key:2"}, "is the same key as"),
    ):
        environment = {"DIALGATE_DATA_DIR": str(tmp_path), "DIALGATE_PORT": "0"} | more
        found = CliRunner().invoke(cli, [verb], env=environment)
        assert found.exit_code == 2, found.output
        assert says in found.output
        assert "same-key" not in found.output


def test_a_misspelt_setting_and_a_system_that_is_away_are_said(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.environment["DIALGATE_DATADIR"] = "x"
    assert "the nearest is DIALGATE_DATA_DIR" in shell.run("list", status=2)
    del shell.environment["DIALGATE_DATADIR"]
    shell.environment["DIALGATE_API_KEY"] = "k"
    assert "127.0.0.1:9" in shell.run("list", "--url", "http://127.0.0.1:9", status=1)
