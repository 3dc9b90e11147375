"""Foreign records on campaign.records: garbage is skipped, a newer fact stops every service."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from tests.support.auditor import audit
from tests.support.client import Client, handled
from tests.support.garbage import garbage, stopping, unknown
from tests.support.subscriber import whole_topic
from tests.support.system import Process, System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

PARTITIONS = 3
READERS = ("command-api", "dialer", "projector")
CONTACTS, CONCURRENT = 150, 4


def write(servers: str, topic: str, campaign_id: int, values: Iterable[bytes | None]) -> int:
    """Write into a campaign's partition as any client can; return the last position."""

    async def written() -> int:
        async with AIOKafkaProducer(bootstrap_servers=servers) as stranger:
            partition, position = campaign_id % PARTITIONS, 0
            for value in values:
                sent = await stranger.send_and_wait(topic, value, b"key", partition)
                position = int(sent.offset) + 1
            return position

    return asyncio.run(written())


def in_another_partition(client: Client, campaign_id: int) -> int:
    """Create campaigns of no contacts until one is elsewhere; return it."""
    while (created := client.create(0)) % PARTITIONS == campaign_id % PARTITIONS:
        pass
    return created


def foreign_met(system: System, verb: str) -> int:
    """Return how many foreign records a process says that it has met."""
    with system.client() as client:
        metrics = client.once("GET", f"{system[verb].url}/metrics").text
    name = f'dialgate_rulings_total{{part="{verb}",ruling="foreign"}} '
    return int(float(metrics.split(name)[1].split("\n")[0]))


def test_garbage_of_every_kind_disturbs_nobody(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    topic, written = f"{namespace}{CAMPAIGN_RECORDS}", 0
    system = System(
        tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=PARTITIONS
    )
    with system, system.client() as client:
        pids = [process.pid for process in system]
        campaign = client.create(CONTACTS, concurrent=CONCURRENT)
        elsewhere = in_another_partition(client, campaign)

        def disturb(version: int) -> int:
            values = garbage(campaign, version, elsewhere).values()
            write(kafka_servers, topic, campaign, values)
            stale = json.dumps(unknown(campaign, version - 1)).encode()
            write(kafka_servers, topic, campaign, [stale])  # Refused: its facts are not looked at.
            return len(values)

        written += disturb(1)  # Created: here true would be a version, if it were a number.
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 0)
        written += disturb(2)
        assert client.pause(campaign), "garbage prevents no pause"
        written += disturb(3)
        assert client.status(campaign) == "paused"
        client.resume(campaign)
        written += disturb(4)
        client.wait_for(campaign, "completed")
        assert client.status(elsewhere) == "draft"
        assert [process.pid for process in system if process.running] == pids
        report = audit(system, client, finished=False)
        assert [foreign_met(system, verb) for verb in READERS] == [written] * len(READERS)

        believed = client.create(5)  # What was spoilt above was a record.
        write(kafka_servers, topic, believed, [json.dumps(stopping(believed, 1)).encode()])
        client.wait_for(believed, "cancelled")
    print(report)
    report.assert_clean(rings=CONTACTS, pauses=1)
    assert report.foreign == written
    lines = system.run("replay", "--campaign", str(campaign)).stdout.splitlines()
    assert sum("refused" in line and "campaign-halted.v9" in line for line in lines) == 4


def stored_position(system: System, verb: str, campaign_id: int) -> int:
    """Return up to which position a stopped service has stored what it folded."""
    partition = campaign_partition(campaign_id, PARTITIONS)
    asked = "select position from positions where (topic, number) = (?, ?)"
    names: tuple[object, ...] = partition
    if verb == "projector":
        asked, names = (
            "select position from projector_tracking where application_name = ?",
            (str(partition),),
        )
    with contextlib.closing(sqlite3.connect(system.data_dir / f"{verb}.db")) as db:
        found = db.execute(asked, names).fetchone()
    return int(found[0]) if found else 0


NEWER = "expected a fact of this version, found 'campaign-halted.v9'"


def ends_by_itself(process: Process, said: Iterable[str]) -> None:
    """Expect that a process exits, with a status and a sentence that say why."""
    status = process.wait()
    assert status == 1, f"{process.verb} exited with {status}\n{process.output()}"
    assert all(part in process.output() for part in said), process.output()


def test_a_newer_fact_stops_every_reader_and_loses_nothing(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    topic = f"{namespace}{CAMPAIGN_RECORDS}"
    system = System(
        tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=PARTITIONS
    )
    with system, system.client() as client:
        campaign = client.create(20)
        client.start(campaign)
        client.wait_for(campaign, "completed")
        version = 3  # Created, started, completed.
        newer = json.dumps(unknown(campaign, version)).encode()
        behind = json.dumps(stopping(campaign, version + 1)).encode()
        position = write(kafka_servers, topic, campaign, [newer, behind]) - 1
        where = f"{campaign_partition(campaign, PARTITIONS)}@{position}"
        said = (where, NEWER, f"campaign/{campaign}")
        for verb in READERS:
            ends_by_itself(system[verb], said)
            assert stored_position(system, verb, campaign) < position
            system[verb].spawn()
        for verb in READERS:  # Started again it stops again: it has not passed over it.
            ends_by_itself(system[verb], said)
            assert stored_position(system, verb, campaign) < position
        system["carrier"].stop()

    replayed = system.run("replay", "--json", "--campaign", str(campaign))
    assert replayed.returncode == 1
    assert all(part in replayed.stderr for part in said), replayed.stderr
    told = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert told[-1]["at"] == f"{campaign_partition(campaign, PARTITIONS)}@{position - 1}"
    records = asyncio.run(whole_topic(kafka_servers, topic))[campaign % PARTITIONS]
    assert [one.value for one in records[position - 1 :]] == [newer, behind]
