"""`dialgate secrets rotate`: all is sealed by the newest master key; then the older one can go."""

import asyncio
import fcntl
import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from campaigns.audit.stories.phrases import moment
from campaigns.domain.facts import WebhookCreated, WebhookSecretRotated
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.webhooks import BOTH_SIGN, Webhooks
from campaigns.log.installation_log import Author, decided, whole
from campaigns.personal.key_store import Change
from campaigns.personal.list_keys import AHEAD
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import unlock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.installation import raise_level
from campaigns.records.topics import ORGANIZATIONS
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKey
from campaigns.sqlite.key_file import KeyFile
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from campaigns.webhooks.webhook_endpoint import about
from dialgate.__main__ import cli
from dialgate.verbs.organization_change import OpenOrganizations, Possession, read
from dialgate.verbs.secrets.webhook_secrets import _fold

OLD, NEW = bytes(32), bytes([1] * 32)


def created(number: int, organization_id: int = 1, key: bytes = OLD) -> WebhookCreated:
    name = f"wh_{organization_id}_{number}"
    sealed = MasterKey(key).seal(f"whsec_{name}".encode(), about(organization_id, name))
    return WebhookCreated(
        organization_id=organization_id, webhook_id=name, url="https://there/", types=(),
        campaign_ids=(), description=None, after="", secret=sealed, created_at=NOON,
    )  # fmt: skip


def written(folder: Path, facts: Iterable[WebhookCreated | WebhookSecretRotated]) -> None:
    async def write() -> None:
        log = SqliteLog(folder / "log.db")
        await log.open()
        clock = SystemClock()
        await decided(
            log, lambda now: raise_level(now, LEVEL_NEWEST, NOON), Author("test", "test"), clock
        )
        for organization_id, some in groupby(facts, lambda fact: fact.organization_id):
            for version, fact in enumerate(some):
                record = offered(fact, condition_version=version)
                await log.append(ORGANIZATIONS, record, organization_id)
        await log.close()

    asyncio.run(write())


def webhooks(folder: Path) -> Webhooks:
    """Return what another reader folds."""

    async def look() -> Webhooks:
        log = SqliteLog(folder / "log.db", read_only=True)
        await log.open()
        try:
            opened = OpenOrganizations(log, await whole(log), "test")
            return (await read(opened, Possession(Webhooks, _fold)))[0]
        finally:
            await log.close()

    return asyncio.run(look())


class Shell:
    """`dialgate secrets rotate`, on a data directory of its own."""

    def __init__(self, folder: Path, *keys: bytes) -> None:
        given = ",".join(b64encode(key).decode() for key in keys)
        self.environment = {"DIALGATE_DATA_DIR": str(folder), "DIALGATE_MASTER_KEY": given}

    def rotate(self, *words: str, status: int = 0) -> str:
        found = CliRunner().invoke(cli, ["secrets", "rotate", *words], env=self.environment)
        assert found.exit_code == status, found.output
        return found.output

    def shape(self, status: int = 0) -> dict[str, Any]:
        kinds: dict[str, Any] = json.loads(self.rotate("--json", status=status))["secrets"]
        found: dict[str, Any] = kinds["webhooks' secrets"]
        return found


def test_after_a_rotation_the_older_key_is_needed_no_more(tmp_path: Path) -> None:
    """The receivers see nothing of it: each webhook signs by the secret that it had."""
    written(tmp_path, [created(1), created(2), created(3, 7), created(4, 7, NEW)])
    said = Shell(tmp_path, NEW, OLD).rotate()
    assert "webhooks' secrets: 3 sealed anew, 1 were already" in said
    assert f"all is sealed by the master key {MasterKey(NEW).name}" in said
    after = webhooks(tmp_path)
    for one in after.by_id.values():
        (sealed,) = one.sealed(datetime.now(UTC))
        bound = about(one.organization_id, one.webhook_id)
        assert KeyPlace(NEW).open(sealed, bound) == f"whsec_{one.webhook_id}".encode()
    assert Shell(tmp_path, NEW).shape() == {"sealed_anew": 0, "already": 4, "left": []}
    assert webhooks(tmp_path).by_id == after.by_id, "a second run records nothing"


def test_a_rotation_that_stops_half_way_ends_with_1_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lists() -> None:
        log = SqliteLog(tmp_path / "log.db", master_keys=KeyPlace(OLD))
        assert log.list_keys is not None
        await log.list_keys.take()
        await log.close()

    written(tmp_path, [created(1)])
    asyncio.run(lists())
    shell, real, changes = Shell(tmp_path, NEW, OLD), KeyFile.change, 0

    async def full(self: KeyFile, key_id: str, change: Change) -> None:
        nonlocal changes
        changes += 1
        if changes == 3:
            raise LogUnavailableError("the disk is full")
        await real(self, key_id, change)

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "change", full)
        said = shell.rotate(status=1)
    assert "keys of lists: 2 sealed anew, 0 were already, 1 left" in said
    assert "the same command goes on: the disk is full" in said
    assert "keep the older master keys" in said
    assert f"keys of lists: {AHEAD - 2} sealed anew, 2 were already" in shell.rotate()


def test_the_log_says_until_when_the_secret_before_signs_too(tmp_path: Path) -> None:
    """Where it was only sealed anew, that is over: the secret stays what it is."""
    written(tmp_path, [created(1)])
    shell = Shell(tmp_path, NEW, OLD)
    shell.rotate()
    told = CliRunner().invoke(cli, ["log"], env=shell.environment).stdout
    since = webhooks(tmp_path).by_id[created(1).webhook_id].rotated_at
    assert since is not None and since + BOTH_SIGN < datetime.now(UTC)
    assert "has a new secret" not in told
    assert f"the one before signs too for 24 hours since {moment(since)}" in told


def test_a_secret_that_no_key_opens_is_left_and_named(tmp_path: Path) -> None:
    written(tmp_path, [created(1), created(2, key=bytes([9] * 32))])
    shell = Shell(tmp_path, NEW, OLD)
    said = shell.rotate(status=1)
    assert "1 sealed anew, 0 were already, 1 left" in said
    assert f"expected the master key {MasterKey(bytes([9] * 32)).name}" in said
    assert "keep the older master keys" in said
    assert shell.shape(status=1)["already"] == 1


def test_a_webhook_that_signs_by_two_secrets_keeps_both(tmp_path: Path) -> None:
    """Its receiver may know only the former one until the day is over."""
    first, name = created(1), created(1).webhook_id
    secret = MasterKey(OLD).seal(b"whsec_second", about(1, name))
    at = datetime.now(UTC).replace(microsecond=0)
    rotated = WebhookSecretRotated(organization_id=1, webhook_id=name, secret=secret, rotated_at=at)
    written(tmp_path, [first, rotated])
    said = Shell(tmp_path, NEW, OLD).rotate(status=1)
    assert f"the one before signs until {(at + BOTH_SIGN).isoformat()}" in said
    assert webhooks(tmp_path).by_id[name].sealed(at) == (secret, first.secret)
    old = tmp_path / "old"
    old.mkdir()
    written(old, [first, WebhookSecretRotated(
        organization_id=1, webhook_id=name, secret=secret, rotated_at=at - timedelta(hours=25)
    )])  # fmt: skip
    Shell(old, NEW, OLD).rotate()
    (sealed,) = webhooks(old).by_id[name].sealed(at)  # Also by a clock that is behind.
    assert KeyPlace(NEW).open(sealed, about(1, name)) == b"whsec_second"


def test_without_a_key_or_a_log_and_beside_a_running_part_it_is_one_sentence(
    tmp_path: Path,
) -> None:
    assert "expected a log in" in Shell(tmp_path, NEW).rotate(status=2)
    written(tmp_path, [created(1)])
    said = Shell(tmp_path).rotate(status=2)
    assert f"the master key {tmp_path / 'master.key'}: No such file" in said
    assert not (tmp_path / "master.key").exists(), "a key made now would open nothing"
    unlock(tmp_path, "command-api")  # As this process has it, by the verbs above.
    with (tmp_path / "command-api.lock").open("ab") as running:
        fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert "stop it first" in Shell(tmp_path, NEW, OLD).rotate(status=2)
    assert webhooks(tmp_path).by_id[created(1).webhook_id].rotated_at is None
