"""Another master key than the one that wrapped: red, or 2 in one sentence; nothing half done."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.personal.list_keys import AHEAD, ListKeys
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKey, MasterKeyError
from campaigns.sqlite.key_file import KeyFile
from campaigns.sqlite.sqlite_log import SqliteLog
from tests.support.auditor import rings_of
from tests.support.system import System

OLD, NEW, OTHER = bytes(32), bytes([1] * 32), bytes([2] * 32)


def written(*keys: bytes) -> str:
    return ",".join(b64encode(key).decode() for key in keys)


def wrapped(system: System) -> dict[str, str]:
    with closing(sqlite3.connect(system.data_dir / "keys.db")) as db:
        return dict(db.execute("select key_id, wrapped from keys"))


async def keys_of(folder: Path, *keys: bytes) -> ListKeys:
    return ListKeys(KeyFile(folder / "keys.db"), KeyPlace.of(keys, None))


async def test_a_key_that_opens_none_of_the_others_seals_nothing(tmp_path: Path) -> None:
    """Nor does it say how numbers are recognized: each list would be another's."""
    old = await keys_of(tmp_path, OLD)
    assert old.troubles() == [], "there is nothing yet that could be missing"
    await old.take()
    other = await keys_of(tmp_path, OTHER)
    said = f"expected the master key {MasterKey(OLD).name} that wraps 64 keys of contacts"
    with pytest.raises(MasterKeyError, match=said):
        other.mark()
    with pytest.raises(MasterKeyError, match=f"found {MasterKey(OTHER).name}: restore it"):
        await other.take()
    (trouble,) = other.troubles()
    assert trouble.startswith(f"64 keys of contacts: expected the master key {MasterKey(OLD).name}")
    assert len(old.store.key_ids()) == 64
    assert old.troubles() == []


async def test_a_rotation_is_no_trouble_and_what_it_left_is_named(tmp_path: Path) -> None:
    first = await (await keys_of(tmp_path, OLD)).take()
    both = await keys_of(tmp_path, NEW, OLD)
    second = await both.take()
    assert both.troubles() == []
    await both.reseal(first.key_id)
    (left,) = (await keys_of(tmp_path, NEW)).troubles()
    assert left.startswith(f"63 keys of contacts: expected the master key {MasterKey(OLD).name}")
    for key_id in both.store.key_ids():
        await both.reseal(key_id)
    new = await keys_of(tmp_path, NEW)
    assert (new.troubles(), new.tree(second.key_id)) == ([], second.tree)
    assert (await keys_of(tmp_path, OLD)).troubles(), "it lacks the newer one"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path, "parts", master_key=written(OLD)) as system:
        yield system


@pytest.mark.e2e
def test_each_part_with_another_master_key_says_so_and_calls_nobody(parts: System) -> None:
    with parts.client() as client:
        parts["dialer"].stop()
        campaign = client.create(5)
        client.start(campaign)
        before, name = wrapped(parts), MasterKey(OLD).name
        for verb in ("dialer", "projector", "command-api"):
            if parts[verb].running:
                parts[verb].stop()
            parts[verb].environment["DIALGATE_MASTER_KEY"] = written(OTHER)
        ended = parts["command-api"].spawn()
        assert ended.wait() == 2, ended.output()
        assert f"expected the master key {name} that wraps" in ended.output()
        for verb in ("dialer", "projector"):
            parts[verb].restart()
            answer = client.once("GET", f"{parts[verb].url}/health/ready")
            assert answer.status_code == 503, (verb, answer.text)
            said = f"{verb}: {len(before)} keys of contacts: expected the master key {name}"
            assert any(one.startswith(said) for one in answer.json()["troubles"]), answer.text
        for words in (
            ("erase", "--yes", "--number", "+15550000001"),
            ("erase", "--yes", "--contact", f"{campaign}/1"),
            ("secrets", "rotate"),
        ):  # fmt: skip
            told = parts.run(*words, DIALGATE_MASTER_KEY=written(OTHER))
            assert (told.returncode, told.stdout) == (2, ""), (words, told)
            assert f"expected the master key {name}" in told.stderr, (words, told)
            assert len(told.stderr.splitlines()) == 1, (words, told)
        wait_for(lambda: f"campaign {campaign}: the secret of key" in parts["dialer"].output())
        assert wrapped(parts) == before
        assert not rings_of(parts.rings), "nobody is called by a key that is not theirs"
        parts["dialer"].stop()
        parts["projector"].stop()
        for verb in ("projector", "command-api", "dialer"):
            parts[verb].environment["DIALGATE_MASTER_KEY"] = written(NEW, OLD)
            parts[verb].start()
        client.wait_for(campaign, "completed")
        assert len(rings_of(parts.rings)) == 5


def wait_for(so: Callable[[], bool], within_s: float = 30.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < give_up_at, "not in time"
        time.sleep(0.05)


KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def at(event, arguments):
    global left
    if event == "sqlite3.connect" and str(arguments[0]).endswith("keys.db"):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(at)
from dialgate.__main__ import main
main()
"""  # Ends a verb where it opens the keys for the n-th time: each key is changed by one commit.


async def test_a_killed_rotation_goes_on_and_loses_nobody(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db", master_keys=KeyPlace(OLD))
    await log.open()
    assert log.list_keys is not None
    made = [await log.list_keys.take() for _ in range(AHEAD)]
    forgotten, *others = made
    await log.list_keys.forget(forgotten.key_id, [1])
    await log.close()
    environment = os.environ | {
        "DIALGATE_DATA_DIR": str(tmp_path), "DIALGATE_MASTER_KEY": written(NEW, OLD),
    }  # fmt: skip
    done = 0
    for opens in (2, 20, 30):
        killed = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", KILLED, str(opens), "secrets", "rotate"],
            env=environment, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed
        both = await keys_of(tmp_path, NEW, OLD)
        anew = both.store.sealers().get(MasterKey(NEW).name, 0)
        assert done <= anew < AHEAD, "what is done stays done"
        done = anew
        assert [both.tree(one.key_id) for one in others] == [one.tree for one in others]
    assert done > 0
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "dialgate", "secrets", "rotate"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert f"keys of lists: {AHEAD - done} sealed anew, {done} were already" in ended.stdout, ended
    new = await keys_of(tmp_path, NEW)
    assert new.troubles() == []
    assert [new.tree(one.key_id) for one in others] == [one.tree for one in others]
    assert new.tree(forgotten.key_id).key(1) is None, "who is forgotten stays so"
