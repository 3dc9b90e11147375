"""What an operator sees of the processes: locks, knobs, stops, keys, health, metrics, replay."""

import contextlib
import hashlib
import json
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from campaigns.domain.values.stream_names import campaign_stream
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, some_record
from tests.support.auditor import audit
from tests.support.client import API, Client, Json, handled
from tests.support.system import KEY, System

pytestmark = pytest.mark.e2e
SHOWN = re.compile(r"API key, shown this once: (\S+)")


def test_a_second_process_of_a_part_exits_with_2_and_names_the_first(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        for verb in ("up", "carrier"):
            second = system.run(verb, DIALGATE_PORT="0")
            assert second.returncode == 2, second
            assert f"pid {system['up'].pid} " in second.stderr
            assert str(tmp_path) in second.stderr
        assert httpx.get(f"{system.commands_url}/health/ready").status_code == 200


def test_parts_run_beside_each_other_and_none_of_them_twice(tmp_path: Path) -> None:
    with System(tmp_path, "parts") as system:
        for process in system:
            second = system.run(process.verb, DIALGATE_PORT="0")
            assert second.returncode == 2, second
            assert f"pid {process.pid} " in second.stderr
        assert system.run("up", DIALGATE_PORT="0").returncode == 2


def test_a_port_in_use_exits_with_2_and_says_which(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        elsewhere = str(tmp_path / "elsewhere")
        port = str(system["up"].port)
        second = system.run("up", DIALGATE_DATA_DIR=elsewhere, DIALGATE_PORT=port)
        assert second.returncode == 2, second
        assert f"127.0.0.1:{port}: Address already in use" in second.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DIALGATE_LEASES_S", "1", "the nearest is DIALGATE_LEASE_S"),
        ("DIALGATE_KAFKA_SERVER", "x:1", "the nearest is DIALGATE_KAFKA_SERVERS"),
        ("DIALGATE_LEASE_S", "two", "DIALGATE_LEASE_S: "),
        ("DIALGATE_LEASE_S", "61", "DIALGATE_LEASE_S: "),
        ("DIALGATE_LEASE_S", "inf", "DIALGATE_LEASE_S: "),
        ("DIALGATE_CARRIER_TIMEOUT_S", "inf", "DIALGATE_CARRIER_TIMEOUT_S: "),
        ("DIALGATE_CARRIER_TIMEOUT_S", "1e300", "DIALGATE_CARRIER_TIMEOUT_S: "),
        ("DIALGATE_DRAIN_S", "inf", "DIALGATE_DRAIN_S: "),
        ("DIALGATE_CARRIER_TALK_MAX_S", "1e400", "DIALGATE_CARRIER_TALK_MAX_S: "),
        ("DIALGATE_TEMPLATE_S", "nan", "DIALGATE_TEMPLATE_S: "),
        ("DIALGATE_SCHEDULE_GRACE_S", "1e12", "DIALGATE_SCHEDULE_GRACE_S: "),
        ("DIALGATE_CARRIER_SETUP_MS", "-1", "DIALGATE_CARRIER_SETUP_MS: "),
        ("DIALGATE_CARRIER_BUSY_PERCENT", "99", "to make 100 percent"),
        ("DIALGATE_API_KEYS", "secret", "expected key:organization"),
    ],
)
def test_a_knob_that_does_not_fit_exits_with_2_and_says_why(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    ended = System(tmp_path).run("up", DIALGATE_PORT="0", **{name: value})
    assert ended.returncode == 2, ended
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_the_version_is_printed(tmp_path: Path) -> None:
    ended = System(tmp_path).run("--version")
    assert (ended.returncode, ended.stdout.strip()) == (0, version("dialgate"))


@pytest.mark.parametrize("layout", ["up", "parts"])
def test_a_stop_in_the_middle_ends_well_and_the_next_start_goes_on(
    tmp_path: Path, layout: str
) -> None:
    system = System(tmp_path, "parts" if layout == "parts" else "up")
    with system, system.client() as client:
        campaign = client.create(300, concurrent=10)
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 50)
        stood = positions(system)
        system.stop()
        system.start()
        assert client.status(campaign) == "running"
        folded, position = counted(system, "accepted"), positions(system)
        assert folded <= position - stood + KEYS, "from the checkpoint, not from the beginning"
        client.wait_for(campaign, "completed")
        report = audit(system, client)
    report.assert_clean(rings=300)


KEYS = 2  # Records of the organization's own partition: they may be read again.


def counted(system: System, ruling: str) -> float:
    """Return how many records the command API has ruled on in this life."""
    return metric(
        system.commands_url, f'dialgate_rulings_total{{part="command-api",ruling="{ruling}"}}'
    )


def positions(system: System) -> float:
    """Return how far the command API has folded, in all its lives."""
    return metric(
        system.commands_url, 'dialgate_position{part="command-api",partition="campaign.records/0"}'
    )


def metric(url: str, name: str) -> float:
    """Return one metric's value."""
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"no {name} in\n{text}"
    return float(found[1])


def test_the_first_key_is_shown_once_and_the_log_holds_only_its_hash(tmp_path: Path) -> None:
    with System(tmp_path, api_key=None) as system:
        give_up_at = time.monotonic() + 30
        while not (shown := SHOWN.findall(system["up"].output())):
            assert time.monotonic() < give_up_at, "no key was shown"
            time.sleep(0.05)
        (key,) = shown
        digest = hashlib.sha256(key.encode()).hexdigest()
        with Client(system.commands_url, system.queries_url, key) as client:
            campaign = client.create(1)
            system.stop()
            system.start()
            assert client.status(campaign) == "draft", "the key holds after a restart"
            client.start(campaign)
        wrong = httpx.get(f"{system.queries_url}{API}", headers={"Authorization": f"Bearer {KEY}"})
        assert wrong.status_code == 401
        assert not SHOWN.search(system["up"].output()), "shown once"
        replayed = system.run("replay", "--json")
    assert digest in replayed.stdout
    for file in tmp_path.glob("data/*"):
        assert key.encode() not in file.read_bytes(), f"{file} holds the key itself"


def test_health_and_metrics_say_what_a_process_does(tmp_path: Path) -> None:
    with System(tmp_path) as system, system.client() as client:
        url = system.commands_url
        assert httpx.get(f"{url}/health/live").json() == {"status": "live"}
        ready = httpx.get(f"{url}/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        campaign = client.create(200)
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 0)
        assert client.pause(campaign)
        assert client.command(f"/{campaign}/pause").status_code == 400
        assert metric(url, 'dialgate_commands_total{command="pause",outcome="done"}') == 1
        assert metric(url, 'dialgate_commands_total{command="pause",outcome="already-paused"}') == 1
        assert metric(url, "dialgate_barrier_seconds_count") == 1
        for part in ("command-api", "dialer", "projector"):
            accepted = metric(url, f'dialgate_rulings_total{{part="{part}",ruling="accepted"}}')
            assert accepted >= 200 / 20, part
            lag = f'dialgate_lag_records{{part="{part}",partition="campaign.records/0"}}'
            assert metric(url, lag) >= 0
            assert metric(url, lag.replace("records", "seconds", 1)) >= 0
            behind = httpx.get(f"{url}/health/lag").json()[part]
            assert behind["partitions"]["campaign.records/0"].keys() == {"records", "seconds"}
        open_permissions = 'dialgate_open_permissions{part="dialer"}'
        give_up_at = time.monotonic() + 30
        while metric(
            url, open_permissions
        ):  # Settled for the command API; the dialer reads it, too.
            assert time.monotonic() < give_up_at, "a pause has settled"
            time.sleep(0.02)
        assert metric(url, 'dialgate_late_calls_total{part="dialer"}') == 0


def test_an_embedded_log_that_is_moved_away_ends_its_process(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.data_dir.rename(tmp_path / "moved")
        # Noticed where the log is used next, not while nothing happens: by this, if not before.
        with contextlib.suppress(httpx.TransportError):
            assert httpx.get(f"{system.commands_url}/health/ready").status_code == 503
        assert system["up"].wait() == 1
        assert "the log was replaced while it was in use" in system["up"].log.read_text()


@pytest.mark.kafka
def test_a_data_directory_that_is_gone_is_not_ready_but_live(
    tmp_path: Path, kafka_servers: str
) -> None:
    with System(tmp_path, kafka=kafka_servers, namespace="gone.") as system:
        system.data_dir.rename(tmp_path / "moved")
        ready = httpx.get(f"{system.commands_url}/health/ready")
        assert ready.status_code == 503
        assert any("is gone" in trouble for trouble in ready.json()["troubles"])
        assert httpx.get(f"{system.commands_url}/health/live").status_code == 200


async def test_replay_shows_what_is_accepted_refused_and_foreign(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        with system.client() as client:
            campaign = client.create(3)
            client.start(campaign)
            client.wait_for(campaign, "completed")
        system.stop()
        log = SqliteLog(system.data_dir / "log.db", exclusive=False)
        await log.open()
        stale, key = some_record(FIRST)
        await log.append(FIRST, replace(stale, condition={campaign_stream(key): 999}), key)
        await log.close()
        with closing(sqlite3.connect(system.data_dir / "log.db")) as db, db:
            db.execute(
                "insert into records select topic, number, max(position) + 1, ? from records"
                " where topic = 'campaign.records' group by topic, number",
                (b"no record of ours",),
            )
        system.start()  # None of it disturbs other processes.
        with system.client() as client:
            assert client.status(campaign) == "completed"
        assert counted(system, "foreign") == 1
        lines = [json.loads(line) for line in system.run("replay", "--json").stdout.splitlines()]
        text = system.run("replay", "--campaign", str(campaign)).stdout
    rulings = [line["ruling"] for line in lines]
    assert rulings[-2:] == ["refused", "foreign"], rulings
    assert lines[-2]["why"] and lines[-1]["why"], "each says why"
    types = [
        fact["type"] for line in lines if line["ruling"] == "accepted" for fact in line["facts"]
    ]
    for kind in ("campaign-created", "campaign-started", "call-ended", "campaign-completed"):
        assert f"{kind}.v1" in types
    assert "campaign-completed.v1" in text
    assert "foreign" not in text


def test_the_demo_against_a_running_system_succeeds(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        shown = system.run("demo", "--url", system.commands_url, "--contacts", "200")
    assert shown.returncode == 0, shown
    assert "200 calls, 0 of them between pause and resume, by the carrier's log" in shown.stdout
    assert "pause answered" in shown.stdout


STORES = {
    "up": ("command-api.db", "projector.db"),  # The dialer shares the first (ADR-0033).
    "parts": ("command-api.db", "dialer.db", "projector.db"),
}


@pytest.mark.parametrize("layout", ["up", "parts"])
def test_deleted_stores_are_rebuilt_from_the_log_as_they_were(tmp_path: Path, layout: str) -> None:
    system = System(tmp_path, "parts" if layout == "parts" else "up")
    with system, system.client() as client:
        done, paused, draft = (client.create(60) for _ in range(3))
        client.start(done)
        client.start(paused)
        client.wait_until(paused, lambda found: handled(found) > 0)
        client.pause(paused)
        client.wait_for(done, "completed")
        client.wait_until(paused, lambda found: found["in_progress_contacts"] == 0)
        served = [answers(client, campaign) for campaign in (done, paused, draft)]
        system.stop()
        rows = dump(system.data_dir / "projector.db")
        for store in STORES[layout]:
            assert (system.data_dir / store).exists(), store
            for file in system.data_dir.glob(f"{store}*"):
                file.unlink()
        system.start()
        assert [answers(client, campaign) for campaign in (done, paused, draft)] == served
        assert client.command(f"/{paused}/pause").status_code == 400, "paused is paused"
        system.stop()
        assert dump(system.data_dir / "projector.db") == rows
        system.start()
        client.resume(paused)
        client.start(draft)
        client.wait_for(paused, "completed")
        client.wait_for(draft, "completed")
        report = audit(system, client)
    report.assert_clean(rings=180, pauses=1)


def answers(client: Client, campaign_id: int) -> list[Json]:
    """Return all that is served of a campaign."""
    paths = ("", "/progress", "/contacts", "/executions", "/schedule")
    return [client.get(f"/{campaign_id}{path}") for path in paths]


def dump(path: Path) -> dict[str, list[object]]:
    """Return every row of a store, but what names the file itself."""
    with closing(sqlite3.connect(path)) as db:
        tables = [
            name for (name,) in db.execute("select name from sqlite_master where type='table'")
        ]
        return {name: sorted(db.execute(f"select * from {name}"), key=repr) for name in tables}
