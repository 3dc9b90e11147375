"""Encrypted contacts with real processes on a broker: called, killed, erased, and in no file."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import _without
from tests.support.auditor import audit, rings_of
from tests.support.broker import Broker, Source, choose, has_jars, has_java
from tests.support.client import Client, handled
from tests.support.system import Layout, System
from tests.support.traces import files_in, traces

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

ADA = {"phone_number": "+14155550107", "name": "Ada Quuxlace", "variables": {"city": "Wiedikon"}}
BOB = {"phone_number": "+14155550208", "name": "Bob Plughname", "variables": {"city": "Xyzzy"}}
EVE = {"phone_number": "+14155550309", "name": "Eve Staysthere", "variables": {"city": "Grault"}}
MAX = {"phone_number": "+14155550410", "name": "Max Inclear"}  # Written plain: not searched for.
TEXTS = [text for one in (ADA, BOB, EVE) for text in (str(one["phone_number"]), str(one["name"]))]


def system_on(broker: Broker, folder: Path, layout: Layout) -> System:
    folder.mkdir()
    return System(
        folder, layout, kafka=broker.servers, namespace="e.", partitions=2,
        master_key=b64encode(bytes([7] * 32)).decode(),
    )  # fmt: skip


def erased(system: System, *words: str) -> int:
    done = system.run("erase", "--yes", "--json", *words)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["erased"])


def written(*folders: Path) -> Iterator[Path]:
    """Yield what may hold a text: no index of a segment, nor what the carrier keeps of its own."""
    for path in files_in(*folders):
        if path.suffix not in (".index", ".timeindex") and not path.name.startswith("carrier.db"):
            yield path


@pytest.fixture(scope="module")
def own() -> Iterator[Broker]:
    """Start a broker whose files can be searched."""
    if choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.NOTHING:
        _without("no broker of our own: needs Java and Maven")
    started = Broker().start()
    yield started
    started.stop()


def test_erased_while_it_runs_and_parts_are_killed(own: Broker, tmp_path: Path) -> None:
    with system_on(own, tmp_path / "parts", "parts") as system:
        with system.client() as client:
            people = called_killed_and_erased(system, client)
            system.stop()
        assert not traces(written(own.folder, system.data_dir), TEXTS)
        without_its_master_key(system, people)
    later = system_on(own, tmp_path / "up", "up")
    with later as system, system.client() as client:  # On the log of the parts, in one process.
        assert "Eve Staysthere" in json.dumps(client.contacts(people))
        again = client.create_of(BOB)
        client.start(again)
        client.wait_for(again, "completed")
        assert [one["attempts"] for one in client.contacts(again)] == [1]
    assert not traces(written(own.folder, system.data_dir), TEXTS)


def called_killed_and_erased(system: System, client: Client) -> int:
    """Return the campaign of which one is erased; its id is that of a partition's next one."""
    load = client.create(60, concurrent=2)
    client.start(load)
    client.wait_until(load, lambda found: handled(found) > 2)
    system["projector"].kill9()
    people, gone = client.create_of(ADA, BOB, EVE), client.create_of(ADA, BOB)
    system["dialer"].kill9()
    assert erased(system, "--contact", f"{people}/1") == 1
    system["projector"].restart()  # It was away when the keys were made, and reads them.
    assert [one["phone_number"] for one in client.contacts(people)] == [
        "erased", BOB["phone_number"], EVE["phone_number"]
    ]  # fmt: skip
    client.start(gone)
    assert erased(system, "--campaign", f"{gone}") == 2
    system["dialer"].restart()
    client.start(people)
    system["command-api"].kill9()
    system["command-api"].restart()
    client.hurry(load)
    for campaign in (load, people, gone):
        client.wait_for(campaign, "completed")
    assert [one["attempts"] for one in client.contacts(people)] == [0, 1, 1]
    assert [one["status"] for one in client.contacts(gone)] == ["skipped"] * 2
    report = audit(system, client)
    assert not report.violations, report
    called = {(ring.campaign_id, ring.contact_id) for ring in rings_of(system.rings)}
    assert not called & {(people, 1), (gone, 1), (gone, 2)}, "who was erased was called"
    assert called >= {(people, 2), (people, 3)}, "others are"
    return people


def without_its_master_key(system: System, people: int) -> None:
    """Nothing begins that would write in clear beside what is encrypted."""
    parts = [system[verb] for verb in ("command-api", "dialer", "projector")]
    kept = [process.environment.pop("DIALGATE_MASTER_KEY") for process in parts]
    for process in parts:
        process.spawn()
    for process, key in zip(parts, kept, strict=True):
        assert process.wait() == 2, process.output()
        assert "expected DIALGATE_MASTER_KEY, by which the keys of contacts in" in process.output()
        assert "Traceback" not in process.output()
        process.environment["DIALGATE_MASTER_KEY"] = key
    told = system.run("erase", "--yes", "--contact", f"{people}/2", DIALGATE_MASTER_KEY="")
    assert (told.returncode, told.stdout) == (2, ""), told
    assert "expected DIALGATE_MASTER_KEY" in told.stderr.splitlines()[-1], told
    assert "Traceback" not in told.stderr, told
    history = system.run("verify", DIALGATE_MASTER_KEY="")
    assert history.returncode == 0, history


def test_without_a_master_key_contacts_are_plain_and_one_line_says_so(
    own: Broker, tmp_path: Path
) -> None:
    """And a search of a broker's files finds who is in them."""
    folder = tmp_path / "plain"
    folder.mkdir()
    with (
        System(folder, kafka=own.servers, namespace="p.", partitions=2) as system,
        system.client() as client,
    ):
        campaign = client.create_of(MAX)
        client.start(campaign)
        client.wait_for(campaign, "completed")
        said = system["up"].output()
        assert said.count("contacts are written plain") == 1, said
        assert "contact.keys" not in said, "nothing else of keys is of interest"
    found = traces(written(own.folder), [str(MAX["phone_number"])])
    assert any("p.campaign.records" in path for path, _, _ in found)


def opened(system: System) -> list[str]:
    """Return the rows that a log shows with its keys, each as JSON, in their order."""
    said = system.run("log", "--json", "--reveal", "--type", "contacts-encrypted")
    assert said.returncode == 0, said
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    rows = [row for line in lines for fact in line["facts"] for row in fact.get("opened", ())]
    return [json.dumps(row, sort_keys=True) for row in rows]


def moved(source: System, target: System, path: Path) -> None:
    """Move a log and its keys, as docs/keys.md says."""
    for words in (("export", f"{path}"), ("secrets", "export", f"{path}.keys")):
        done = source.run(*words)
        assert done.returncode == 0, done
    for words in (("import", f"{path}"), ("secrets", "import", f"{path}.keys")):
        done = target.run(*words)
        assert done.returncode == 0, (words, done)


def test_it_moves_to_a_broker_goes_on_dialling_and_moves_back(own: Broker, tmp_path: Path) -> None:
    """Whoever was erased before stays so; others are called where the log is now."""
    key = b64encode(bytes([7] * 32)).decode()
    for name in ("here", "back"):
        (tmp_path / name).mkdir()
    first = System(tmp_path / "here", master_key=key)
    with first as here, here.client() as client:
        people = client.create_of(ADA, BOB, EVE)
        assert erased(here, "--contact", f"{people}/1") == 1
        here.stop()
    shown = opened(first)
    assert [row == '{"erased": true}' for row in shown] == [True, False, False]
    there = System(
        folder_of(tmp_path, "there"),
        kafka=own.servers,
        namespace="m.",
        partitions=2,
        master_key=key,
    )
    moved(first, there, tmp_path / "first")
    assert opened(there) == shown
    assert there.run("adopt", "--yes").returncode == 0
    with there as system, system.client() as client:
        client.start(people)
        client.wait_for(people, "completed")
        assert [one["attempts"] for one in client.contacts(people)] == [0, 1, 1]
        system.stop()
    back = System(tmp_path / "back", master_key=key)
    moved(there, back, tmp_path / "second")
    assert opened(back) == shown
    told = back.run("state", f"{people}", "--contacts", "--json", "--reveal")
    state = json.loads(told.stdout)
    assert state["status"] == "completed"
    assert [(one["phone_number"], one["attempts"]) for one in state["contacts"]] == [
        ("erased", 0), (BOB["phone_number"], 1), (EVE["phone_number"], 1)
    ]  # fmt: skip
    assert not traces(written(own.folder, tmp_path), TEXTS[:2])


def folder_of(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
