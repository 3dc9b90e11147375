"""The consumers of docs/examples, as a user runs them: each prints what was accepted."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest

from campaigns.records.topics import CAMPAIGN_EVENTS
from docs.generate import ROOT
from tests.support.receiver import SECRET
from tests.support.system import System, free_port

pytestmark = pytest.mark.e2e
EXAMPLES = ROOT / "docs" / "examples"
WITHIN_S = 60.0


@asynccontextmanager
async def running(name: str, folder: Path, *arguments: str, **more: str) -> AsyncIterator[Process]:
    """Run an example; at the end kill it, and leave in its pipe what it had printed until then."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLES / name, *arguments, stdout=PIPE, cwd=folder, env=os.environ | more,
        # What a shell starts behind itself ignores it, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # It may have been told to end.
            process.kill()
        await process.wait()


async def told(process: Process, count: int, before: Sequence[str] = ()) -> list[str]:
    """Return what an example has printed once it is so many events, a repeated one counted once.

    `before`: what it printed in its earlier life.
    """
    assert process.stdout is not None
    found = dict.fromkeys(before)
    async with asyncio.timeout(WITHIN_S):
        while len(found) < count:
            line = await process.stdout.readline()
            assert line, f"it has ended, after {len(found)} of {count} events"
            found[line.decode()] = None
    return list(found)


async def left(process: Process) -> list[str]:
    """Return what a killed example had printed and nobody has read."""
    assert process.stdout is not None
    return [f"{line}\n" for line in (await process.stdout.read()).decode().split("\n")[:-1]]


def made(system: System) -> None:
    """Have a campaign call its one contact. Its name has what some take for the end of a line."""
    contacts = [{"phone_number": "+15550000001"}]
    with system.client() as client:
        body = {"name": "one\u2028line", "assistant_id": 1, "contacts": contacts}
        once = {"max_attempts": 1}  # A retry is minutes away.
        created = client.command("", body | {"campaign_type": "call", "settings": once})
        assert created.status_code == 200, created.text
        campaign = int(created.json()["id"])
        client.start(campaign)
        client.wait_for(campaign, "completed")


def accepted(system: System) -> list[str]:
    """Return the events of the log, as another reader of it finds them."""
    done = system.run("replay-events")
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


async def test_the_examples_follow_the_embedded_log(tmp_path: Path) -> None:
    with System(tmp_path, webhook_private="true", webhook_secret=SECRET) as system:
        await asyncio.to_thread(made, system)
        lines = await asyncio.to_thread(accepted, system)
        key = {"DIALGATE_API_KEY": system.environment["DIALGATE_API_KEY"]}
        url = system.queries_url
        async with running("events_from_http.py", tmp_path, url, **key) as over_http:
            begun = await told(over_http, 2)
        begun += await left(over_http)  # It may have been further than we had read.
        async with running("events_from_http.py", tmp_path, url, **key) as over_http:
            streamed = await told(over_http, len(lines), begun)  # It resumes.
        port = str(free_port())
        async with running("events_from_webhook.py", tmp_path, SECRET, port) as hook:
            to = f"http://127.0.0.1:{port}/"
            done = await asyncio.to_thread(system.run, "replay-events", "--to", to)
            assert done.returncode == 0, done.stderr
            posted = await told(hook, len(lines))
    assert [one.split()[1] for one in posted] == [one.split()[1] for one in streamed]
    assert streamed[0].split()[1] == "campaign-created.v1"


@pytest.mark.kafka
async def test_the_example_follows_the_topic_and_resumes_where_it_was(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    with System(tmp_path, kafka=kafka_servers, namespace=namespace) as system:
        await asyncio.to_thread(made, system)
        lines = await asyncio.to_thread(accepted, system)
        at = kafka_servers, f"{namespace}{CAMPAIGN_EVENTS}", namespace
        async with running("events_from_kafka.py", tmp_path, *at) as consumer:
            begun = await told(consumer, 2)
            consumer.send_signal(signal.SIGINT)  # It leaves its group: else that is known in 10 s.
            async with asyncio.timeout(WITHIN_S):
                await consumer.wait()
        begun += await left(consumer)
        async with running("events_from_kafka.py", tmp_path, *at) as consumer:
            heard = await told(consumer, len(lines), begun)
    types = [orjson.loads(line)["type"] for line in lines]
    assert [one.split()[1] for one in heard] == types
