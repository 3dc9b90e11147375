"""Subscribers over HTTP, killed and resumed at random, as is what they follow: nothing is lost.

In the end each has exactly the accepted facts, in order within a campaign, after dropping repeats
by id; and all have the same bytes, which are those that `dialgate replay-events` reads by itself.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import orjson
import pytest

from tests.support.system import System

pytestmark = pytest.mark.e2e
CONTACTS = int(os.environ.get("SUBSCRIBERS_CONTACTS", "500"))  # Of each campaign; soak: 5000.
CAMPAIGNS = 2
KILLS = 3
LIFE_S = 0.6  # How long a projector lives at most between kills.
EVENTS_A_LIFE = 400  # How many events a subscriber takes at most before it dies.
WITHIN_S = 90.0

Take = Callable[[bytes, str], None]  # An event, and the cursor after it.


class DeadError(Exception):
    """The subscriber was killed."""


class Subscriber(threading.Thread):
    """Keeps events, and after some of them a cursor; dies at random, and resumes at that cursor."""

    def __init__(self, seed: int, live: Callable[["Subscriber", Take], None]) -> None:
        super().__init__(daemon=True)
        self.dice, self.live = random.Random(seed), live
        self.kept, self.cursor = (
            list[bytes](),
            "",
        )  # What is durable.
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


def pages(url: str, key: str) -> Callable[[Subscriber, Take], None]:
    """Return a life of one who asks for pages."""

    def live(own: Subscriber, take: Take) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
            while not own.ends.is_set():
                asked = {"after": own.cursor} if own.cursor else {}
                limit = own.dice.choice((1, 7, 100, 1000))
                answer = client.get(url, params={**asked, "limit": limit, "wait_s": 1})
                answer.raise_for_status()
                found = answer.json()
                for event in found["events"]:
                    take(orjson.dumps(event), own.cursor)
                own.cursor = found["next"]

    return live


def stream(url: str, key: str) -> Callable[[Subscriber, Take], None]:
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


def followed(
    system: System, victim: str, kinds: dict[str, Callable[[Subscriber, Take], None]], seed: int
) -> Iterator[tuple[str, Subscriber]]:
    """Run campaigns while subscribers and `victim` die; yield the subscribers, who have it all."""
    dice = random.Random(seed)
    subscribers = {name: Subscriber(seed + n, live) for n, (name, live) in enumerate(kinds.items())}
    with system.client() as client:
        campaigns = [client.create(CONTACTS, concurrent=40) for _ in range(CAMPAIGNS)]
        for one in subscribers.values():
            one.start()
        for campaign in campaigns:
            client.start(campaign)
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, LIFE_S))  # The moment itself is what is drawn.
            system[victim].kill9()
            system[victim].restart()
        for campaign in campaigns:
            client.wait_for(campaign, "completed")
    expected = accepted(system)
    until = time.monotonic() + WITHIN_S
    for name, one in subscribers.items():
        while len(one.ids) < len(expected) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(one.ids) == len(expected), f"{name} has not everything"
    for name, one in subscribers.items():
        one.ends.set()
        one.join(WITHIN_S)
        yield name, one
    assert len(expected) > 3 * CONTACTS * CAMPAIGNS


def judge(system: System, found: Iterator[tuple[str, Subscriber]]) -> None:
    """Compare what each subscriber has with what was accepted."""
    everyone = list(found)
    expected = in_order(accepted(system))
    for name, one in everyone:
        assert in_order(list(one.heard.values())) == expected, name
        assert one.lives > KILLS, f"{name} was never killed"
    assert any(len(one.kept) > len(one.heard) for _, one in everyone), "nothing came twice"


def over_http(system: System) -> dict[str, Callable[[Subscriber, Take], None]]:
    """Return the subscribers over HTTP."""
    url, key = f"{system.queries_url}/api/v1/events", system.environment["DIALGATE_API_KEY"]
    return {"pages": pages(url, key), "stream": stream(url, key)}


def test_subscribers_of_the_embedded_log_miss_nothing(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        judge(system, followed(system, "up", over_http(system), seed=1))
