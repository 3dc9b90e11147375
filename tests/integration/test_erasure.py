"""Who is erased is nowhere: under load, killed between fact and deletion, after a backup of keys.

Not even before an erasure is a person in any file: what could be read was read with a key.
"""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.client import Client
from tests.support.system import ROOT, System
from tests.support.traces import files_in, forms_of, traces

pytestmark = pytest.mark.e2e


class Person(NamedTuple):
    """A contact of the second campaign."""

    contact_id: int
    phone_number: str
    name: str
    email: str
    city: str

    def body(self) -> dict[str, Any]:
        return {
            "phone_number": self.phone_number, "name": self.name, "email": self.email,
            "variables": {"city": self.city},
        }  # fmt: skip


ADA = Person(1, "+14155550107", "Ada Quuxlace", "ada.quux@example.org", "Zürich-Wiedikon")
BOB = Person(2, "+14155550208", "Bob Plughname", "bob.plugh@example.org", "Xyzzy Springs")
EVE = Person(3, "+14155550309", "Eve Staysreadable", "eve.stays@example.org", "Grault Falls")
# Ends `dialgate erase` where it opens the keys to change them: the fact is in the log then.
KILLED = """
import os, signal, sys
def at(event, arguments):
    if event == "sqlite3.connect" and str(arguments[0]).endswith("keys.db"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(at)
from dialgate.__main__ import main
main()
"""


def readable(client: Client, campaign: int, person: Person) -> bool:
    """Say whether the API shows a person whole; otherwise it shows nothing of them."""
    shown = json.dumps(client.contacts(campaign), ensure_ascii=False)
    found = [text in shown for text in person[1:]]
    assert all(found) or not any(found), shown
    return all(found)


def until(so: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < give_up_at, what
        time.sleep(0.05)


def wrapped(keys: Path) -> dict[str, str]:
    """Return each list's key as the store has it."""
    with closing(sqlite3.connect(keys)) as db:
        return dict(db.execute("select key_id, wrapped from keys"))


def erased(system: System, *words: str) -> dict[str, Any]:
    done = system.run("erase", "--yes", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_who_is_erased_is_nowhere_and_is_never_called(tmp_path: Path) -> None:
    with System(tmp_path) as system, system.client() as client:
        load = client.create(200, concurrent=2, calls_per_minute=300)
        client.start(load)
        campaign = client.create_of(ADA.body(), BOB.body(), EVE.body())
        assert all(readable(client, campaign, one) for one in (ADA, BOB, EVE))
        before = wrapped(system.data_dir / "keys.db")
        old_keys = tmp_path / "keys.backup"
        there = closing(sqlite3.connect(system.data_dir / "keys.db"))
        with there as source, closing(sqlite3.connect(old_keys)) as target:
            source.backup(target)
        assert system.run("export", str(tmp_path / "before.export")).returncode == 0

        assert erased(system, "--number", ADA.phone_number)["contacts"] == [f"{campaign}/1"]
        until(lambda: not readable(client, campaign, ADA), "the API shows her")
        assert client.status(load) == "running", "it was erased under load"

        system.kill9()
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, "erase", "--yes", "--contact", f"{campaign}/2"],
            cwd=ROOT, env=system.environment, check=False, capture_output=True, timeout=120,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        halfway = wrapped(system.data_dir / "keys.db")
        system.start()
        until(lambda: not readable(client, campaign, BOB), "the API shows him")
        changed = {key for key, now in wrapped(system.data_dir / "keys.db").items()
                   if now != halfway[key]}  # fmt: skip
        assert len(changed) == 1, "whoever started has deleted what the killed verb left"
        assert erased(system, "--contact", f"{campaign}/2")["erased"] == 0, "it is done"
        assert readable(client, campaign, EVE)

        client.start(campaign)
        client.wait_for(campaign, "completed")
        assert [(one["attempts"], one["status"]) for one in client.contacts(campaign)[:2]] == [
            (0, "skipped"), (0, "skipped")
        ]  # fmt: skip
        assert client.contacts(campaign)[2]["attempts"] == 1, "others are called"
        client.hurry(load)
        client.wait_for(load, "completed")
        system.stop()

        (key_id,) = changed
        people = [text for one in (ADA, BOB) for text in one[1:]]
        verified = system.run("verify", "--at-rest", "--rings", str(system.rings))
        assert verified.returncode == 0, verified.stdout
        assert system.run("export", str(tmp_path / "after.export")).returncode == 0
        assert system.run("export", "--parquet", str(tmp_path / "tables")).returncode == 0
        looked_at = [path for path in files_in(tmp_path) if path != old_keys]
        assert {path.name for path in looked_at} >= {"log.db", "keys.db", "projector.db"}
        assert not traces(looked_at, [*people, before[key_id]])
        assert traces([old_keys], [before[key_id]]), "there it was"

        # A backup of the keys brings both back, and the next start has them forgotten again.
        shutil.copy(old_keys, system.data_dir / "keys.db")
        system.start()
        until(lambda: "still there, and are deleted" in system["up"].output(), "nobody said it")
        assert [readable(client, campaign, one) for one in (ADA, BOB, EVE)] == [False, False, True]
        system.stop()
        assert not traces(files_in(system.data_dir), [before[key_id]])


def test_the_search_finds_a_person_in_every_encoding(tmp_path: Path) -> None:
    for n, form in enumerate(sorted(forms_of(ADA.city))):
        (tmp_path / str(n)).write_bytes(b"\x00before" + form + b"behind")
    assert len(traces(files_in(tmp_path), [ADA.city])) >= len(forms_of(ADA.city))
    assert not traces(files_in(tmp_path), [BOB.city])
