"""Subscribers of every kind, killed and resumed at random, as is the projector: nothing is lost.

In the end each has exactly the accepted facts, in order within a campaign, after dropping repeats
by id; and all have the same bytes, which are those that `dialgate replay-events` reads by itself.
"""

import asyncio
import base64
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from standardwebhooks import Webhook

from campaigns.records.topics import CAMPAIGN_EVENTS
from tests.support.client import Client
from tests.support.system import System, free_port

pytestmark = pytest.mark.e2e
CONTACTS = int(os.environ.get("SUBSCRIBERS_CONTACTS", "100"))  # Of each campaign; soak: 10000.
CAMPAIGNS = 2
KILLS = 2
EVENTS_A_LIFE = CONTACTS  # How many events a subscriber takes at most before it dies.
WITHIN_S = 90.0 + CONTACTS / 20  # Both campaigns call at once: more than 40 contacts a second.
# A killed receiver, and a killed projector's webhooks, are back within a run.
HASTE: dict[str, Any] = {  # Any: knobs.
    "webhook_private": "true",
    "webhook_retry_wait_s": 0.02,
    "webhook_retry_wait_max_s": 0.1,
    "webhook_lease_s": 1,
}
MASTER_KEY = base64.b64encode(bytes(32)).decode()

Take = Callable[[bytes, str], None]  # An event, and the cursor after it.
Live = Callable[["Subscriber", Take], None]  # One life: until it dies, or ends.


class DeadError(Exception):
    """The subscriber was killed."""


class Subscriber(threading.Thread):
    """Keeps events, and after some of them a cursor; dies at random, and resumes at that cursor."""

    def __init__(self, seed: int, live: Live) -> None:
        super().__init__(daemon=True)
        self.dice, self.live = random.Random(seed), live
        self.kept, self.cursor = list[bytes](), ""  # What is durable.
        self.ids = set[bytes]()
        self.lives, self.ends = 0, threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            left = self.dice.randrange(1, EVENTS_A_LIFE)

            def take(event: bytes, cursor: str) -> None:
                nonlocal left
                self.kept.append(event)
                self.ids.add(event.partition(b'"id":"')[2].partition(b'"')[0])
                left -= 1
                if not left:
                    raise DeadError  # Between the two: this event will come again.
                self.cursor = cursor

            self.lives += 1
            try:
                self.live(self, take)
            except (DeadError, httpx.HTTPError, OSError):
                self.ends.wait(0.02)

    @property
    def heard(self) -> dict[str, bytes]:
        """Return what it has, by id, in order; of each the first."""
        found = dict[str, bytes]()
        for event in self.kept:
            name = orjson.loads(event)["id"]
            assert found.setdefault(name, event) == event, "one id, one event"
        return found


def pages(url: str, key: str) -> Live:
    """Return a life of one who asks for pages."""

    def live(own: Subscriber, take: Take) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
            while not own.ends.is_set():
                asked = {"after": own.cursor} if own.cursor else {}
                limit = own.dice.choice(
                    (1, 7, min(1_000, EVENTS_A_LIFE // 3))
                )  # So that some pages are whole.
                answer = client.get(url, params={**asked, "limit": limit, "wait_s": 1})
                answer.raise_for_status()
                found = answer.json()
                events = [orjson.dumps(event) for event in found["events"]]
                assert b"[%b]" % b",".join(events) in answer.content, "these very bytes"
                for event in events:
                    take(event, own.cursor)
                own.cursor = found["next"]

    return live


def stream(url: str, key: str) -> Live:
    """Return a life of one who follows server-sent events."""

    def live(own: Subscriber, take: Take) -> None:
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": own.cursor} if own.cursor else {}
        with httpx.stream("GET", url, headers=headers, timeout=20) as answer:
            answer.raise_for_status()
            cursor = own.cursor
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    cursor = value
                elif name == "data":
                    take(value.encode(), cursor)
                if own.ends.is_set():
                    return

    return live


def hook(port: int, *secrets: str) -> Live:
    """Return a life of a receiver of webhooks; its cursor is the sender's. All secrets sign."""

    def live(own: Subscriber, take: Take) -> None:
        dead, one_at_a_time = threading.Event(), threading.Lock()

        class Receiver(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for secret in secrets:
                    Webhook(secret).verify(body, dict(self.headers))
                self.close_connection = True
                with one_at_a_time:
                    if dead.is_set():
                        return  # Without an answer.
                    try:
                        take(body, "")
                    except DeadError:
                        dead.set()
                        return
                self.close_connection = False
                self.send_response(204)
                self.end_headers()

            def log_request(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False  # A kept connection says no more.

        with Server(("127.0.0.1", port), Receiver) as server:
            server.timeout = 0.02
            while not own.ends.is_set() and not dead.is_set():
                server.handle_request()
        dead.set()

    return live


def topic(servers: str, name: str) -> Live:
    """Return a life of one who consumes the topic; its cursor is an offset of each partition."""

    async def consume(own: Subscriber, take: Take) -> None:
        # Subscribed to, not assigned by hand: only then does the client look the topic up.
        consumer = AIOKafkaConsumer(name, bootstrap_servers=servers, enable_auto_commit=False)
        await consumer.start()
        try:
            offsets = {int(k): v for k, v in orjson.loads(own.cursor or "{}").items()}
            for one in consumer.assignment():
                consumer.seek(one, offsets.get(one.partition, 0))
            while not own.ends.is_set():
                for one, messages in (await consumer.getmany(timeout_ms=100)).items():
                    for message in messages:
                        offsets[one.partition] = message.offset + 1
                        text = {str(number): offset for number, offset in offsets.items()}
                        take(message.value, orjson.dumps(text).decode())
        finally:
            await consumer.stop()

    return lambda own, take: asyncio.run(consume(own, take))


def in_order(events: Sequence[bytes]) -> dict[int, list[bytes]]:
    """Return the events of each campaign, in the order in which they came."""
    found = dict[int, list[bytes]]()
    for event in events:
        found.setdefault(orjson.loads(event)["data"]["campaign_id"], []).append(event)
    return found


def accepted(system: System) -> list[bytes]:
    """Return all events that the log has, as another reader of it finds them."""
    done = system.run("replay-events")
    assert done.returncode == 0, done.stderr
    return [line.encode() for line in done.stdout.splitlines()]


def reach(subscribers: dict[str, Subscriber], events: int) -> None:
    """Wait until each subscriber has so many events."""
    until = time.monotonic() + WITHIN_S
    for name, one in subscribers.items():
        while len(one.ids) < events:
            assert time.monotonic() < until, f"{name} has {len(one.ids)} of {events} events"
            time.sleep(0.02)


def judge(system: System, subscribers: dict[str, Subscriber], seed: int) -> None:
    """Run campaigns while subscribers and the projector die; compare what each has in the end."""
    dice = random.Random(seed)
    with system.client() as client:
        campaigns = [client.create(CONTACTS, concurrent=40) for _ in range(CAMPAIGNS)]
        for one in subscribers.values():
            one.start()
        for campaign in campaigns:
            client.start(campaign)
        for events in sorted(dice.sample(range(1, 2 * CONTACTS), KILLS)):
            reach(subscribers, events)
            system["projector"].kill9()
            system["projector"].restart()
        for campaign in campaigns:
            client.wait_for(campaign, "completed", WITHIN_S)
    found = accepted(system)
    reach(subscribers, len(found))
    expected = in_order(found)
    assert len(found) > 3 * CONTACTS * CAMPAIGNS
    for name, one in subscribers.items():
        one.ends.set()
        one.join(WITHIN_S)
        assert in_order(list(one.heard.values())) == expected, name
        assert one.lives > KILLS, f"{name} was never killed"
        assert len(one.kept) > len(one.heard), f"{name} had nothing twice: no kill fell between"


def followed(system: System, **more: Live) -> dict[str, Subscriber]:
    """Return a subscriber of each kind; `more` than pages, server-sent events, a webhook."""
    url, key = f"{system.queries_url}/api/v1/events", system.environment["DIALGATE_API_KEY"]
    port, webhooks = free_port(), f"{system.commands_url}/api/v1/webhooks"
    with Client(system.commands_url, system.queries_url, key) as client:
        body = {"url": f"http://127.0.0.1:{port}/", "after": "beginning"}
        made = client.once("POST", webhooks, json=body)
        assert made.status_code == 200, made.text
        again = client.once("POST", f"{webhooks}/{made.json()['id']}/rotate")
        assert again.status_code == 200, again.text
    kinds = {
        "pages": pages(url, key),
        "stream": stream(url, key),
        "webhook": hook(port, made.json()["secret"], again.json()["secret"]),
        **more,
    }
    return {name: Subscriber(n, live) for n, (name, live) in enumerate(kinds.items())}


def test_subscribers_of_the_embedded_log_miss_nothing(tmp_path: Path) -> None:
    with System(tmp_path, "parts", **HASTE) as system:
        judge(system, followed(system), seed=1)


@pytest.mark.kafka
def test_subscribers_on_kafka_miss_nothing_and_agree_with_the_topic(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    knobs = HASTE | {"kafka": kafka_servers, "namespace": namespace, "master_key": MASTER_KEY}
    with System(tmp_path, "parts", **knobs) as system:
        of_topic = topic(kafka_servers, f"{namespace}{CAMPAIGN_EVENTS}")
        judge(system, followed(system, topic=of_topic), seed=2)
