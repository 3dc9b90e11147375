"""`dialgate keys`: create, list and revoke API keys, over HTTP or directly on the log."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import orjson
import typer

from campaigns.domain.api_keys import ApiKeys, key_hash
from campaigns.domain.decider import UNCHANGED, Decision
from campaigns.domain.facts import AnyFact, ApiKeyCreated, ApiKeyRevoked, Scope
from campaigns.http.campaign_json import key_shape
from campaigns.log.installation_log import founded
from campaigns.process.clock import SystemClock
from campaigns.process.errors import (
    ContractError,
    LevelBeyondError,
    OperatingError,
    PartRunningError,
    ReadOnlyError,
)
from campaigns.process.printable_text import one_line
from campaigns.records.log_entry import Recorded
from command_api.keys.key_changes import (
    NAME_UNUSABLE,
    CreateKey,
    RevokeKey,
    decide_create,
    decide_revoke,
    new_key,
)
from command_api.settings import CommandApiSettings
from dialgate.exit_codes import MISUSED, WENT_WRONG
from dialgate.logs import lock_part, make_log
from dialgate.settings import ProcessSettings, misspelt
from dialgate.verbs.organization_change import (
    OpenOrganizations,
    Possession,
    RejectedError,
    change,
)
from dialgate.verbs.terminal import complain, say

LOCKED = (
    "command-api"  # A running part does not see what another process writes to an embedded log.
)

cli = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke API keys. With DIALGATE_API_KEY, the running system is asked."
    " Without it, the log is changed directly: on Kafka at any time, on an embedded log only while"
    " Dialgate is stopped.",
)
Url = Annotated[str | None, typer.Option(help="The address of the running system.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Organization = Annotated[
    int, typer.Option(min=1, help="The organization, when the log is changed directly.")
]


@cli.command()
def create(
    scope: Annotated[
        Scope, typer.Option(help="What the key may do. Each scope includes those before it.")
    ] = (Scope.OPERATE),
    name: Annotated[str | None, typer.Option(help="A name to recognize the key by.")] = None,
    rate_limit: Annotated[
        int | None, typer.Option(min=1, help="How many requests a minute the key may make.")
    ] = None,
    organization: Organization = 1,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Create a key, and print it. It is not shown again."""
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
    """List the keys, newest first.

    Prints their ids, scopes and first characters, never a whole key.
    """
    if _key():
        _print(_ask("GET", "", url)["keys"], as_json=as_json)
        return
    keys = _changed(organization, lambda _: UNCHANGED)
    _print([key_shape(keys, one.key_hash) for one in keys.of(organization)], as_json=as_json)


@cli.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The id of the key, as `dialgate keys list` prints it.")
    ],
    organization: Organization = 1,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. This cannot be undone."""
    if _key():
        _print([_ask("DELETE", f"/{key_id}", url)], as_json=as_json)
        return

    def decide(keys: ApiKeys) -> Decision:
        return decide_revoke(keys, RevokeKey(organization, key_id, SystemClock().now()))

    keys = _changed(organization, decide)
    found = keys.named(organization, key_id)
    assert found is not None, "a revoked key stays listed"
    _print([key_shape(keys, found.key_hash)], as_json=as_json)


def _key() -> str | None:
    given = CommandApiSettings().api_key  # From the environment, or from its file.
    return (given.get_secret_value() if given else None) or None


def _settings() -> ProcessSettings:
    if sentences := misspelt(os.environ):
        raise _ends("; ".join(sentences), MISUSED)
    return ProcessSettings()


def _ask(method: str, path: str, url: str | None, body: object = None) -> dict[str, Any]:
    """Send a request to the running system and return its answer; exit when it fails."""
    import httpx  # Imported late: it is slow to import.

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


def _changed(organization_id: int, decide: Callable[[ApiKeys], Decision]) -> ApiKeys:
    """Decide directly on the log; return the keys afterwards."""
    settings = _settings()
    try:
        if not settings.kafka_servers:
            lock_part(settings, LOCKED)
        return asyncio.run(_change(settings, organization_id, decide))
    except PartRunningError as exc:
        raise _ends(f"{exc}; or set DIALGATE_API_KEY to one of its admin keys", MISUSED) from exc
    except (LevelBeyondError, ReadOnlyError, OSError) as exc:
        raise _ends(exc, MISUSED) from exc
    except (RejectedError, OperatingError, ContractError) as exc:
        raise _ends(exc) from exc


async def _change(
    settings: ProcessSettings, organization_id: int, decide: Callable[[ApiKeys], Decision]
) -> ApiKeys:
    """Open the log and decide. Raises: see `change`."""
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        installation = await founded(log, SystemClock(), "dialgate keys")
        opened = OpenOrganizations(log, installation, "dialgate keys")
        return await change(opened, organization_id, Possession(ApiKeys, _fold), decide)
    finally:
        await log.close()


def _fold(keys: ApiKeys, fact: AnyFact, _: Recorded) -> None:
    if isinstance(fact, ApiKeyCreated | ApiKeyRevoked):
        keys.fold(fact)
