"""The broker refuses records in the middle of a running campaign, which then continues unaided."""

import asyncio
import time
import uuid
from pathlib import Path

import pytest

from campaigns.records.topics import CAMPAIGN_RECORDS
from tests.support.auditor import audit
from tests.support.client import API, handled
from tests.support.on_kafka import altered
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

CONTACTS = 300
TOLD_S_MAX = 5.0  # A ruling would be waited for 10 s.
BACK_S_MAX = 10.0  # Source: issue 9, what it must show.
REFUSING = {"max_message_bytes": "1"}, {"message_timestamp_before_max_ms": "0"}


def test_a_refused_record_silences_nobody(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    topic = f"{namespace}{CAMPAIGN_RECORDS}"
    system = System(tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=3)
    with system, system.client() as client:
        pids = [process.pid for process in system]
        campaign = client.create(CONTACTS, concurrent=5, calls_per_minute=900)
        client.start(campaign)
        for settings in REFUSING:
            known = handled(client.progress(campaign))
            client.wait_until(campaign, lambda found, n=known: handled(found) > n + 5)  # type: ignore[misc]
            asyncio.run(altered(kafka_servers, topic, **settings))
            refused = until(503, system, f"{API}/{campaign}/pause", f"{API}/{campaign}/resume")
            assert refused["may_still_take_effect"] is False, refused
            unready(system)
            asyncio.run(altered(kafka_servers, topic))
            back_at = time.monotonic()
            until(200, system, f"{API}/{campaign}/pause", f"{API}/{campaign}/resume")
            assert time.monotonic() - back_at < BACK_S_MAX
            known = handled(client.progress(campaign))
            client.wait_until(campaign, lambda found, n=known: handled(found) > n + 5)  # type: ignore[misc]
            assert time.monotonic() - back_at < 2 * BACK_S_MAX, "the dialer calls again too"
        client.wait_for(campaign, "completed")
        report = audit(system, client)
        assert [process.pid for process in system if process.running] == pids
    report.assert_clean(rings=CONTACTS)


def until(status: int, system: System, *paths: str) -> dict[str, object]:
    """Ask one after the other, again and again, until one is answered so; the last must be."""
    give_up_at = time.monotonic() + 30
    with system.client() as client:
        while True:
            for path in paths:
                began = time.monotonic()
                key = {"Idempotency-Key": uuid.uuid4().hex}
                answer = client.once(
                    "POST", f"{client.commands_url}{path}", headers=key, timeout=20
                )
                if answer.status_code == 503:
                    assert time.monotonic() - began < TOLD_S_MAX
                if answer.status_code == status and (status != 200 or path == paths[-1]):
                    return dict(answer.json())
            assert time.monotonic() < give_up_at, answer.text


def unready(system: System) -> None:
    """Check that a part whose appends are refused says that it is not ready."""
    with system.client() as client:
        answer = client.once("GET", f"{system.commands_url}/health/ready", timeout=20)
        assert answer.status_code == 503
        assert "refuses records" in answer.text
