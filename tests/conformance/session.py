"""A client of the documented API, as plain as can be, and a system to ask. No test in here."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.system import KEY, System

API = "/api/v1/campaigns"
OTHERS = "dg_e2e_key_of_organization_2"
DRAFT = {"name": "Sample", "assistant_id": 123, "campaign_type": "call"}
FAST = {"max_attempts": 1, "calls_per_minute": 60_000, "max_concurrent_calls": 50}
WAIT_S = 30.0
Json = dict[str, Any]  # Any: JSON.


def people(count: int) -> list[Json]:
    """Return contacts of different numbers."""
    return [{"phone_number": f"+1415555{n:04}", "name": f"Person {n}"} for n in range(count)]


def ahead(**more: float) -> str:
    """Return a time this far ahead, as clients write it: `Z`."""
    return f"{datetime.now(UTC) + timedelta(**more):%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass
class Asking:
    """One organization's client. Every answer says what it is asked to say, or the test fails."""

    system: System
    key: str = KEY
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.http = httpx.Client(
            base_url=self.system.commands_url, headers=headers, timeout=60, trust_env=False
        )

    def send(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Send a request as the Python SDK does: with a Content-Type, body or none."""
        content = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith(("/api", "/ws")) else f"{API}{path}"
        return self.http.request(method, url, content=content, headers=named)

    def get(self, path: str, **query: object) -> Json:
        """Return what a GET answers."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return told(self.send("GET", f"{path}?{asked}" if asked else path))

    def post(self, path: str, body: object = None) -> Json:
        """Return what a POST answers that succeeds."""
        return told(self.send("POST", path, body))

    def refused(self, status: int, method: str, path: str, body: object = None) -> Any:
        """Return the `detail` of a refusal. Any: a text, or FastAPI's list."""
        answer = self.send(method, path, body)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.json()["detail"]

    def create(self, **more: object) -> int:
        """Create a campaign; return its id."""
        return int(self.post("", DRAFT | more)["id"])

    def running(self, contacts: int = 1) -> int:
        """Return a campaign whose calls wait for long: one a minute."""
        slow = {"calls_per_minute": 1, "max_concurrent_calls": 1}
        one = self.create(contacts=people(contacts + 1), settings=slow)
        self.post(f"/{one}/start")
        return one

    def finished(self, contacts: int, **settings: object) -> int:
        """Return a campaign that is completed."""
        one = self.create(contacts=people(contacts), settings=FAST | settings)
        self.post(f"/{one}/start")
        self.wait(lambda: self.get(f"/{one}")["status"] == "completed")
        return one

    def upload(self, one: int, file: str | bytes, **form: str) -> httpx.Response:
        """Import a file."""
        raw = file.encode() if isinstance(file, str) else file
        return httpx.post(
            f"{self.system.commands_url}{API}/{one}/import-data",
            files={"file": ("people.csv", raw, "text/csv")}, data=form,
            headers={"Authorization": f"Bearer {self.key}"}, timeout=60, trust_env=False,
        )  # fmt: skip

    def wait(self, so: Callable[[], object], within_s: float = WAIT_S) -> None:
        """Wait until a condition holds."""
        give_up_at = time.monotonic() + within_s
        while not so():
            assert time.monotonic() < give_up_at, f"not so within {within_s} s"
            time.sleep(0.05)

    @contextmanager
    def socket(self, path: str) -> Iterator["Ear"]:
        """Connect a socket, with the key as the SDKs send it."""
        url = f"ws://{urlsplit(self.system.queries_url).netloc}{path}?token={self.key}"
        with connect(url, proxy=None) as connection:
            yield Ear(connection)


def told(answer: httpx.Response) -> Json:
    """Return what an answer says that succeeds."""
    assert answer.status_code == 200, (answer.url, answer.status_code, answer.text)
    found: Json = answer.json()
    return found


@dataclass
class Ear:
    """One socket."""

    connection: ClientConnection

    def hear(self) -> Json:
        """Return the next frame."""
        found: Json = json.loads(self.connection.recv(timeout=WAIT_S))
        return found

    def until(self, kind: str, **so: object) -> list[Json]:
        """Return the frames up to the first one of a kind that fulfils the condition."""
        frames = [self.hear()]
        while frames[-1]["type"] != kind or not so.items() <= flat(frames[-1]).items():
            frames.append(self.hear())
        return frames

    def say(self, frame: Json) -> None:
        """Send a frame."""
        self.connection.send(json.dumps(frame))


def flat(frame: Json) -> Json:
    """Return a frame's keys, those of its `data` among them."""
    data = frame.get("data")
    return frame | (data if isinstance(data, dict) else {})
