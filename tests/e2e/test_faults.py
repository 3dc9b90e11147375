"""Frozen services: shorter and longer than lease and barrier, each at its worst moment.

Judged by the carrier's own record and by a fold of the log in a process that was not there; and
after each run the state that was served is the state that is rebuilt. What dies is in test_kills.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.wire import Wire
from tests.support.auditor import Report, audit, rings_of
from tests.support.broker import Broker
from tests.support.client import Client, handled
from tests.support.rebuild import same_when_rebuilt
from tests.support.system import KNOBS, PARTS, Process, System

pytestmark = pytest.mark.e2e

LEASE_S, CARRIER_TIMEOUT_S = float(str(KNOBS["lease_s"])), float(str(KNOBS["carrier_timeout_s"]))
BOUND_S = LEASE_S + CARRIER_TIMEOUT_S
SHORT_S, LONG_S = LEASE_S / 2, BOUND_S + 0.3  # Shorter than a lease, longer than every barrier.
TRIES = 4
TRY_FOR_S = 30.0  # Freezes are tried for this long, until one strikes at the right moment.
ON_ITS_WAY_S = 0.1  # What a process has sent has arrived by then, and been folded.
BETWEEN_S = (0.001, 0.02)  # A process that is thawed gets this long to reach another moment.
SLACK_S = 10.0  # What two busy cores may add to a wait that has a bound.


def running(client: Client, contacts: int, concurrent: int) -> int:
    """Create a campaign and start it; return it once it calls."""
    campaign = client.create(contacts, concurrent=concurrent)
    client.start(campaign)
    client.wait_until(campaign, lambda found: handled(found) > 0)
    return campaign


def finished(
    system: System,
    client: Client,
    campaigns: Sequence[int],
    *,
    rings: int,
    pauses: int,
    whole: bool = False,
) -> Report:
    """Let all be done; judge the run, and compare the state served with the state rebuilt."""
    for campaign in campaigns:
        client.wait_for(campaign, "completed")
    report = audit(system, client)
    print(report)
    report.assert_clean(rings=rings, pauses=pauses)
    assert same_when_rebuilt(system, client, campaigns, whole=whole) > rings
    return report


def refused_late(system: System) -> int:
    """Return how many rings the carrier refused because they came after `ring_by`."""
    with closing(sqlite3.connect(system.data_dir / "carrier.db")) as db:
        (count,) = db.execute("select count(*) from rings where state = 'refused-late'").fetchone()
        return int(count)


def freeze_outside_a_commit(system: System, verb: str) -> None:
    """Freeze a process; on the embedded log at a moment when it does not hold the file's lock."""
    freeze_when(system[verb], lambda: not locked(system), "outside a commit")


def freeze_when(process: Process, wanted: Callable[[], bool], moment: str) -> None:
    """Freeze a process, and judge from the others' answers whether the moment was right.

    Between two tries it goes on for a while: one that is frozen again at once gets nowhere.
    """
    give_up_at = time.monotonic() + TRY_FOR_S
    dice = random.Random(moment)
    while True:
        process.freeze()
        if wanted():
            return
        process.thaw()
        assert time.monotonic() < give_up_at, f"{process.verb}: never {moment} in {TRY_FOR_S} s"
        time.sleep(dice.uniform(*BETWEEN_S))


def locked(system: System) -> bool:
    """Say whether the embedded log is locked against writes. Kafka has no such lock."""
    path = system.data_dir / "log.db"
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.1)) as db:
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        db.execute("rollback")
        return False


def pause_timed(client: Client, campaign: int) -> tuple[dict[str, Any] | None, float]:
    """Pause; return the receipt and how long it took. Any: JSON."""
    began = time.monotonic()
    receipt = client.pause(campaign)
    return receipt, time.monotonic() - began


def freeze_each(system: System, seed: int) -> None:
    """Freeze each service, briefly and for long, with a pause in progress each time."""
    dice = random.Random(seed)
    freezes = [(verb, for_s) for verb in PARTS for for_s in (SHORT_S, LONG_S)]
    dice.shuffle(freezes)
    with system, system.client() as client, ThreadPoolExecutor(1) as aside:
        campaign = running(client, contacts=300, concurrent=8)
        for verb, for_s in freezes:
            time.sleep(dice.uniform(0.0, 0.2))  # The moment itself is what is drawn.
            if verb in ("dialer", "carrier"):
                freeze_with_an_open_permission(system, client, verb)
            else:
                freeze_outside_a_commit(system, verb)
            pausing = aside.submit(pause_timed, client, campaign)
            time.sleep(for_s)
            if verb not in ("command-api", "projector") and for_s > BOUND_S:
                receipt, took_s = pausing.result(timeout=SLACK_S)
                assert receipt and took_s < BOUND_S + SLACK_S, "answered while it stands still"
            system[verb].thaw()
            assert pausing.result()[0], f"{verb} thawed: paused in the middle"
            assert client.status(campaign) == "paused"
            client.resume(campaign)
        report = finished(system, client, [campaign], rings=300, pauses=len(freezes), whole=True)
    assert report.rings_between > 50, "calls go on between the freezes"


@pytest.mark.parametrize("seed", [1])
def test_services_frozen_for_short_and_long_keep_a_pause_true(tmp_path: Path, seed: int) -> None:
    freeze_each(System(tmp_path, "parts"), seed)


@pytest.mark.kafka
@pytest.mark.parametrize("seed", [2])
def test_services_on_kafka_frozen_for_short_and_long_keep_a_pause_true(
    tmp_path: Path, kafka_servers: str, namespace: str, seed: int
) -> None:
    freeze_each(System(tmp_path, "parts", kafka=kafka_servers, namespace=namespace), seed)


def late_requests(system: System) -> tuple[Report, int]:
    """Have requests reach the carrier long after their dialer looked at its clock, and a pause.

    The dialer has checked its lease and sent; then it is frozen, and so is what it sent. When both
    come to, the pause is answered. Returns the report and how many requests were held.
    """
    with Wire(system["carrier"].port) as wire:
        system["dialer"].environment["DIALGATE_CARRIER_URL"] = wire.url
        with system, system.client() as client:
            campaign = running(client, contacts=150, concurrent=8)
            wire.hold()
            wire.wait_for(b"PUT", count=6)  # Nearly all that it may.
            freeze_outside_a_commit(system, "dialer")
            receipt, took_s = pause_timed(client, campaign)
            assert receipt, "paused in the middle"
            assert took_s < BOUND_S + SLACK_S, "a frozen dialer delays no pause for longer"
            assert client.status(campaign) == "paused"
            held = wire.held(b"PUT")
            wire.release()
            system["dialer"].thaw()
            client.wait_until(campaign, lambda found: found["in_progress_contacts"] == 0)
            assert client.status(campaign) == "paused"
            client.resume(campaign)
            client.wait_for(campaign, "completed")
            report = audit(system, client)
    print(report)
    return report, held


def test_a_request_that_comes_after_the_pause_is_refused_by_the_carrier(tmp_path: Path) -> None:
    system = System(tmp_path, "parts")
    report, held = late_requests(system)
    report.assert_clean(rings=150, pauses=1)
    assert refused_late(system) >= 4, f"vacuous: {held} requests were held"
    assert report.abandoned >= 4, "a call that was refused as late spends no attempt"


def test_a_carrier_that_cannot_refuse_rings_late_and_the_log_says_so(tmp_path: Path) -> None:
    """The danger of the test above is real: this carrier rings late, and the log records it."""
    report, _ = late_requests(System(tmp_path, "parts", carrier_refuses_late=False))
    assert report.late >= 4, f"expected CallLate in the log: {report}"
    assert report.violations


def freeze_with_an_open_permission(system: System, client: Client, verb: str) -> None:
    """Freeze a process at a moment when it leaves a permission open, as the command API sees it.

    Seen twice: what resolves it may have been on its way when the process froze.
    """
    name = 'dialgate_open_permissions{part="command-api"} '

    def seen_open() -> bool:
        metrics = client.once("GET", f"{system.commands_url}/metrics").text
        return float(metrics.split(name)[1].split("\n")[0]) > 0

    def left_open() -> bool:
        if locked(system) or not seen_open():
            return False
        time.sleep(ON_ITS_WAY_S)
        return seen_open()

    freeze_when(system[verb], left_open, "with an open permission")


def test_a_command_api_frozen_inside_its_barrier_answers_the_truth(tmp_path: Path) -> None:
    """A permission is open, held by a frozen dialer or a silent carrier; then the API freezes."""
    lease_s, carrier_timeout_s = 0.5, 1.5  # A barrier to be inside of, on busy cores too.
    system = System(tmp_path, "parts", lease_s=lease_s, carrier_timeout_s=carrier_timeout_s)
    within_s, beyond_s = lease_s, lease_s + carrier_timeout_s + 0.3
    with system, system.client() as client, ThreadPoolExecutor(1) as aside:
        campaign = running(client, contacts=500, concurrent=10)

        def freeze_inside(holder: str, frozen_s: float) -> bool:
            """Say whether the pause was still waiting when the API froze."""
            freeze_with_an_open_permission(system, client, holder)
            pausing = aside.submit(client.pause, campaign)
            client.wait_until(campaign, lambda found: found["status"] == "paused", every_s=0.01)
            inside = not pausing.done()
            system["command-api"].freeze()
            time.sleep(frozen_s)
            system["command-api"].thaw()
            receipt = pausing.result()
            assert receipt, "paused in the middle"
            system[holder].thaw()
            client.wait_until(campaign, lambda found: found["in_progress_contacts"] == 0)
            assert client.status(campaign) == "paused"
            client.resume(campaign)
            client.wait_until(campaign, lambda found: found["in_progress_contacts"] > 0)
            return inside

        for holder, frozen_s in (
            ("dialer", within_s), ("carrier", within_s), ("dialer", beyond_s), ("carrier", beyond_s)
        ):  # fmt: skip
            # On busy cores we may come too late for one barrier, but not for every one.
            inside = any(freeze_inside(holder, frozen_s) for _ in range(TRIES))
            assert inside, "vacuous: each pause was answered before the API froze"
        client.hurry(campaign)
        finished(system, client, [campaign], rings=500, pauses=4)


def test_a_process_frozen_inside_its_commit_holds_up_all_and_misleads_nobody(
    tmp_path: Path,
) -> None:
    """The embedded log in several processes has one lock; Kafka has none, `up` has one process."""
    system = System(tmp_path, "parts")
    with system, system.client() as client:
        campaign = running(client, contacts=500, concurrent=10)
        freeze_when(system["dialer"], lambda: locked(system), "inside a commit")
        path = f"{client.commands_url}/api/v1/campaigns/{campaign}"
        answer = client.once("POST", f"{path}/pause", timeout=30)
        assert answer.status_code == 503, answer.text
        assert answer.json()["may_still_take_effect"] is False
        assert "locked" in answer.json()["detail"]
        assert client.status(campaign) == "running", "queries need no lock"
        system["dialer"].thaw()
        assert client.pause(campaign)
        client.resume(campaign)
        client.hurry(campaign)
        finished(system, client, [campaign], rings=500, pauses=1)


SESSION_S = 6  # The least that a dialers' group allows.


@pytest.mark.kafka
def test_a_dialer_that_wakes_when_another_has_its_partition_rings_nobody_twice(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    """Two dialers on one partition, each with a data directory of its own; the first is frozen."""
    system = System(
        tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=1,
        session_timeout_s=SESSION_S,
    )  # fmt: skip
    with system, system.client() as client:
        campaign = running(client, contacts=400, concurrent=5)
        assert client.pause(campaign)
        system.another("dialer").start()  # The first keeps what it has.
        client.resume(campaign)
        frozen_at = time.monotonic()
        system["dialer"].freeze()  # The one that has the partition, in the middle of its calls.
        assert client.pause(campaign), "answered, whichever process is frozen"
        client.resume(campaign)
        before = client.done(campaign)
        client.wait_until(campaign, lambda found: handled(found) > before + 40)
        assert time.monotonic() - frozen_at > SESSION_S / 2, "taken over, not gone on with"
        system["dialer"].thaw()
        assert client.pause(campaign), "two dialers believe that the partition is theirs"
        client.resume(campaign)
        report = finished(system, client, [campaign], rings=400, pauses=3)
    assert report.rings_between > 40


@pytest.mark.kafka
def test_a_frozen_broker_stops_all_calls_and_loses_none(tmp_path: Path, broker: Broker) -> None:
    system = System(tmp_path, "parts", kafka=broker.servers, partitions=1)
    with system, system.client() as client, ThreadPoolExecutor(1) as aside:
        campaign = running(client, contacts=300, concurrent=10)
        for frozen_s in (SHORT_S, 2 * LONG_S):
            time.sleep(0.2)  # Some calls, then the freeze.
            broker.freeze()
            frozen_at_ns = time.time_ns()
            pausing = aside.submit(client.pause, campaign)
            time.sleep(frozen_s)
            assert not pausing.done(), "nothing is promised that is not in the log"
            thawed_at_ns = time.time_ns()
            broker.thaw()
            assert pausing.result(), "paused in the middle"
            assert client.status(campaign) == "paused"
            client.resume(campaign)
            over_at_ns = frozen_at_ns + int(LEASE_S * 1e9)
            began = [ring.began_at_ns for ring in rings_of(system.rings)]
            assert not [at for at in began if over_at_ns < at < thawed_at_ns], "no log, no ring"
        finished(system, client, [campaign], rings=300, pauses=2)
