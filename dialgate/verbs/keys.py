"""`dialgate keys`: make, list and revoke API keys, at a running system or straight on the log."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer

from campaigns.domain.api_keys import ApiKeys, key_hash
from campaigns.domain.decider import UNCHANGED, Decision
from campaigns.domain.facts import Scope
from campaigns.http.campaign_json import key_shape
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import lock
from campaigns.process.errors import (
    ContractError,
    LevelBeyondError,
    OperatingError,
    PartRunningError,
)
from campaigns.process.printable_text import one_line
from command_api.keys.key_changes import (
    NAME_UNUSABLE,
    CreateKey,
    RevokeKey,
    decide_create,
    decide_revoke,
    new_key,
)
from command_api.settings import CommandApiSettings
from dialgate.process import MISUSED, WENT_WRONG
from dialgate.settings import ProcessSettings, misspelt
from dialgate.verbs.keys_on_log import Deciding, RejectedError, change
from dialgate.verbs.terminal import complain, say

LOCKED = "command-api"  # Who follows an embedded log does not look for others' records.

cli = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys. With DIALGATE_API_KEY, at the running system; else on"
    " the log itself: on Kafka at any time, on the embedded one while nothing runs.",
)
Url = Annotated[str | None, typer.Option(help="Of a running system.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object a line.")]
Organization = Annotated[int, typer.Option(min=1, help="On the log itself: whose keys.")]


@cli.command()
def create(
    scope: Annotated[Scope, typer.Option(help="Each may do what those before it may.")] = (
        Scope.OPERATE
    ),
    name: Annotated[str | None, typer.Option(help="To tell keys apart.")] = None,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="Requests a minute.")] = None,
    organization: Organization = 1,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it this once."""
    if name is not None and one_line(name) != name:
        raise _ends(f"--name: {NAME_UNUSABLE}", MISUSED)
    if _key():
        body = {"scope": scope.value, "name": name, "rate_limit": rate_limit}
        _print([_ask("POST", "", url, body)], as_json=as_json)
        return
    key = new_key()

    def decide(keys: ApiKeys) -> Decision:
        now = SystemClock().now()
        return decide_create(keys, CreateKey(organization, key, now, name, scope, rate_limit))

    keys = _changed(organization, decide)
    _print([key_shape(keys, key_hash(key)) | {"key": key}], as_json=as_json)


@cli.command("list")
def show(organization: Organization = 1, url: Url = None, as_json: AsJson = False) -> None:
    """List an organization's keys, newest first; never a key itself."""
    if _key():
        _print(_ask("GET", "", url)["keys"], as_json=as_json)
        return
    keys = _changed(organization, lambda _: UNCHANGED)
    _print([key_shape(keys, one.key_hash) for one in keys.of(organization)], as_json=as_json)


@cli.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    organization: Organization = 1,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key, for ever."""
    if _key():
        _print([_ask("DELETE", f"/{key_id}", url)], as_json=as_json)
        return

    def decide(keys: ApiKeys) -> Decision:
        return decide_revoke(keys, RevokeKey(organization, key_id, SystemClock().now()))

    keys = _changed(organization, decide)
    found = keys.named(organization, key_id)
    assert found is not None, "it was revoked"
    _print([key_shape(keys, found.key_hash)], as_json=as_json)


def _key() -> str | None:
    given = CommandApiSettings().api_key  # From the environment, or from its file.
    return (given.get_secret_value() if given else None) or None


def _settings() -> ProcessSettings:
    if sentences := misspelt(os.environ):
        raise _ends("; ".join(sentences), MISUSED)
    return ProcessSettings()


def _ask(method: str, path: str, url: str | None, body: object = None) -> dict[str, Any]:
    """Ask a running system; end with what is wrong."""
    import httpx  # It takes a while, and no other verb needs it here.

    settings = _settings()
    address = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
    headers = {"Authorization": f"Bearer {_key()}"}
    try:
        answer = httpx.request(
            method, f"{address}/api/v1/keys{path}", headers=headers, json=body, trust_env=False
        )
    except httpx.TransportError as exc:
        raise _ends(f"{address}: {exc}") from exc
    if answer.is_error:
        raise _ends(f"{answer.status_code} {answer.text}")
    return dict(answer.json())


def _ends(why: object, status: int = WENT_WRONG) -> typer.Exit:
    complain(f"dialgate keys: {why}")
    return typer.Exit(status)


def _print(shapes: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    for shape in shapes:
        if as_json:
            say(orjson.dumps(shape).decode())
            continue
        state = "active" if shape["is_active"] else f"revoked {shape['revoked_at']}"
        words = [shape["id"], shape["key_prefix"] + "…", shape["scope"], state, shape["name"] or ""]
        say("  ".join(map(one_line, words)).rstrip())
        if "key" in shape:
            say(f"API key, shown this once: {shape['key']}")


def _changed(organization_id: int, decide: Deciding) -> ApiKeys:
    """Decide on the log itself; return the keys as they are then."""
    settings = _settings()
    try:
        if not settings.kafka_servers:
            lock(settings.data_dir, LOCKED)
        return asyncio.run(change(settings, organization_id, decide))
    except PartRunningError as exc:
        raise _ends(f"{exc}; give DIALGATE_API_KEY a key of it that may do so", MISUSED) from exc
    except (LevelBeyondError, OSError) as exc:
        raise _ends(exc, MISUSED) from exc
    except (RejectedError, OperatingError, ContractError) as exc:
        raise _ends(exc) from exc
