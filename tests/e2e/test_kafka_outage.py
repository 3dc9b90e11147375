"""The broker killed for half a minute in the middle of a run, and restarted."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.auditor import audit, rings_of
from tests.support.broker import Broker
from tests.support.client import API, Client, Pause, handled
from tests.support.system import KNOBS, System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

AWAY_S = 30.0  # Many times the lease, the client's request timeout, and the dialers' session.
ANSWER_S_MAX = 30.0
CONTACTS, CONCURRENT = 300, 10
MADE = {
    "name": "while away", "assistant_id": 1, "campaign_type": "call",
    "contacts": [{"phone_number": "+15550000000"}], "settings": {"max_attempts": 1},
}  # fmt: skip
LEASE_S = float(str(KNOBS["lease_s"]))


def ask(
    client: Client, path: str, key: str | None = None, body: object = None
) -> tuple[httpx.Response, float]:
    """Ask once: a GET, or a POST under a key. Return the answer and how long it took."""
    began = time.monotonic()
    if key is None:
        answer = client.once("GET", f"{client.queries_url}{path}", timeout=60)
    else:
        headers, url = {"Idempotency-Key": key}, f"{client.commands_url}{path}"
        answer = client.once("POST", url, headers=headers, json=body, timeout=60)
    return answer, time.monotonic() - began


def says_unavailable(answer: httpx.Response) -> None:
    """Check that a 503 says when to come back, in whole seconds, and whether it may still count."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"].isdigit()
    assert isinstance(answer.json()["may_still_take_effect"], bool)


def test_all_goes_on_by_itself_after_the_broker_was_away(tmp_path: Path, broker: Broker) -> None:
    system = System(tmp_path, "parts", kafka=broker.servers, partitions=3)
    with system, system.client() as client, ThreadPoolExecutor(8) as aside:
        pids = [process.pid for process in system]
        campaign = client.create(CONTACTS, concurrent=CONCURRENT)
        other = client.create(CONTACTS, concurrent=CONCURRENT)
        for one in (campaign, other):
            client.start(one)
            client.wait_until(one, lambda found: handled(found) > 5)
        broker.kill()
        killed_at, killed_at_ns = time.monotonic(), time.time_ns()

        key, path = uuid.uuid4().hex, f"{API}/{campaign}"
        pausing = aside.submit(ask, client, f"{path}/pause", key)
        creating = aside.submit(ask, client, API, key, MADE)
        reading = [aside.submit(ask, client, f"{path}{more}") for more in ("", "/progress")]
        eventual, _ = ask(client, f"{path}?consistency=eventual")
        assert (eventual.status_code, eventual.json()["status"]) == (200, "running")
        for process in system:
            assert ask_health(client, process.url, "live") == 200
        assert ask_health(client, system.commands_url, "ready") == 503
        for asked in (pausing, creating, *reading):
            answer, took_s = asked.result()
            says_unavailable(answer)
            assert took_s <= ANSWER_S_MAX
        assert ask(client, API, key, {})[0].status_code == 422, "this needs no log"

        time.sleep(max(0.0, killed_at + AWAY_S - time.monotonic()))  # The outage itself.
        back_at_ns = time.time_ns()
        broker.start()
        assert [process.pid for process in system if process.running] == pids

        repeated = ask_until_answered(client, f"{path}/pause", key)
        assert repeated.status_code == 200, repeated.text
        client.pauses.append(Pause(campaign, time.time_ns()))
        client.wait_until(campaign, lambda found: found["in_progress_contacts"] == 0)
        assert client.status(campaign) == "paused"
        client.resume(campaign)
        created = ask_until_answered(client, API, key, MADE)
        assert created.status_code == 200, created.text
        found = client.get("", search=MADE["name"])["campaigns"]
        assert [one["id"] for one in found] == [created.json()["id"]], "once"
        client.start(found[0]["id"])
        for one in (campaign, other, found[0]["id"]):
            client.wait_for(one, "completed")
        report = audit(system, client)
        assert [process.pid for process in system if process.running] == pids
    print(report)
    report.assert_clean(rings=2 * CONTACTS + 1, pauses=1)
    began = [ring.began_at_ns for ring in rings_of(system.rings)]
    over_at_ns = killed_at_ns + int(LEASE_S * 1e9)
    assert not [at for at in began if over_at_ns < at < back_at_ns], "no permission, no ring"
    assert min(began) < killed_at_ns < back_at_ns < max(began), "calls go on before and after"


def ask_health(client: Client, url: str, what: str) -> int:
    """Return the status with which a process answers for itself."""
    return client.once("GET", f"{url}/health/{what}", timeout=20).status_code


def ask_until_answered(client: Client, path: str, key: str, body: object = None) -> httpx.Response:
    """Repeat a command under its key until the answer is no 503."""
    give_up_at = time.monotonic() + 60
    while (answer := ask(client, path, key, body)[0]).status_code == 503:
        assert time.monotonic() < give_up_at, answer.text
        time.sleep(0.1)
    return answer
