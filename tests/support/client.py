"""A client of the public API that outlives the processes it talks to, and notes each pause.

It repeats a request while no process listens or the answer is 503. Each command has an
Idempotency-Key of its own, so a repeat is the same command. Times are Unix nanoseconds.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

API = "/api/v1/campaigns"
TRY_FOR_S = 120.0
TRY_AGAIN_S = 0.05
REQUEST_S = 30.0
Json = dict[str, Any]  # Any: JSON.


@dataclass
class Pause:
    """One pause that was answered 200: no ring may begin between these moments."""

    campaign_id: int
    answered_at_ns: int
    until_ns: int | None = None  # Just before the next resume was sent. None: for ever.


@dataclass
class Client:
    """Talks to the command API and the projector; both may be one address."""

    commands_url: str
    queries_url: str
    key: str
    pauses: list[Pause] = field(default_factory=list)
    retries: int = 0  # How often a request had no answer, or 503.

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        self._http = httpx.Client(headers=headers, timeout=REQUEST_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def once(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Send one request, never again. Any: what httpx takes.

        Raises:
            httpx.TransportError: nobody answered.

        """
        return self._http.request(method, url, **more)

    def _answered(self, method: str, url: str, **more: Any) -> httpx.Response:
        give_up_at = time.monotonic() + TRY_FOR_S
        while True:
            found: object
            try:
                answer = self.once(method, url, **more)
                if answer.status_code != 503:
                    return answer
                found = answer.text
            except httpx.TransportError as exc:
                found = repr(exc)
            self.retries += 1
            if time.monotonic() > give_up_at:
                raise AssertionError(f"{method} {url}: no answer in {TRY_FOR_S} s: {found}")
            time.sleep(TRY_AGAIN_S)

    def get(self, path: str, **parameters: Any) -> Json:
        """Return what a GET below /campaigns answers: "/1/progress". Any: httpx's parameters."""
        answer = self._answered("GET", f"{self.queries_url}{API}{path}", params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def command(self, path: str, body: object = None) -> httpx.Response:
        """Return the answer of a command below /campaigns, whatever it says, but not a 503."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        url = f"{self.commands_url}{API}{path}"
        return self._answered("POST", url, json=body, headers=headers)

    def create(
        self,
        contacts: int,
        *,
        concurrent: int = 20,
        calls_per_minute: int = 60_000,
        max_attempts: int = 1,
    ) -> int:
        """Create a campaign; return its id. Retries are minutes apart: one attempt each."""
        body = {
            "name": f"{contacts} contacts",
            "assistant_id": 1,
            "campaign_type": "call",
            "contacts": [{"phone_number": f"+1555{n:07}"} for n in range(contacts)],
            "settings": {
                "max_attempts": max_attempts,
                "calls_per_minute": calls_per_minute,
                "max_concurrent_calls": concurrent,
            },
        }
        return int(self._done(self.command("", body))["id"])

    def create_of(self, *people: Json) -> int:
        """Create a campaign of these people; return its id. Retries are minutes apart: none."""
        body = {
            "name": "people",
            "assistant_id": 1,
            "campaign_type": "call",
            "contacts": people,
            "settings": {"max_attempts": 1},
        }
        return int(self._done(self.command("", body))["id"])

    def contacts(self, campaign_id: int) -> list[Json]:
        """Return the first page of a campaign's contacts."""
        found: list[Json] = self.get(f"/{campaign_id}/contacts")["items"]
        return found

    def start(self, campaign_id: int) -> Json:
        """Start a draft."""
        return self._done(self.command(f"/{campaign_id}/start"))

    def pause(self, campaign_id: int) -> Json | None:
        """Pause, and note when the 200 arrived. None: it is not running."""
        answer = self.command(f"/{campaign_id}/pause")
        arrived_at_ns = time.time_ns()
        if answer.status_code == 400:
            return None
        found = self._done(answer)
        self.pauses.append(Pause(campaign_id, arrived_at_ns))
        return found

    def resume(self, campaign_id: int) -> Json:
        """Resume; its sending ends the pause that was noted."""
        sent_at_ns = time.time_ns()
        for pause in self.pauses:
            if pause.campaign_id == campaign_id and pause.until_ns is None:
                pause.until_ns = sent_at_ns
        return self._done(self.command(f"/{campaign_id}/resume"))

    def hurry(self, campaign_id: int, concurrent: int = 40) -> None:
        """Have what is left called at full speed: no test needs to wait for it.

        So a test may call slowly before, and a slow machine does not find its campaign over.
        """
        if self.pause(campaign_id) is None:
            return  # It is over.
        settings = {"max_concurrent_calls": concurrent, "calls_per_minute": 60_000}
        url = f"{self.commands_url}{API}/{campaign_id}"
        self._done(self._answered("PATCH", url, json={"settings": settings}))
        self.resume(campaign_id)

    def _done(self, answer: httpx.Response) -> Json:
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def status(self, campaign_id: int) -> str:
        """Return the campaign's status."""
        return str(self.get(f"/{campaign_id}")["status"])

    def progress(self, campaign_id: int) -> Json:
        """Return the campaign's counters, `status` among them."""
        return self.get(f"/{campaign_id}/progress")

    def done(self, campaign_id: int) -> int:
        """Return how many contacts are done."""
        return handled(self.progress(campaign_id))

    def wait_until(
        self,
        campaign_id: int,
        enough: Callable[[Json], bool],
        within_s: float = 120.0,
        every_s: float = 0.05,
    ) -> Json:
        """Return the first progress that is enough.

        Raises:
            AssertionError: none was in time.

        """
        give_up_at = time.monotonic() + within_s
        while not enough(found := self.progress(campaign_id)):
            if time.monotonic() > give_up_at:
                raise AssertionError(f"campaign {campaign_id}: not in {within_s} s: {found}")
            time.sleep(every_s)
        return found

    def wait_for(self, campaign_id: int, status: str, within_s: float = 120.0) -> Json:
        """Return the progress once the campaign has a status ("completed", "paused" …)."""
        return self.wait_until(campaign_id, lambda found: found["status"] == status, within_s)


def handled(progress: Json) -> int:
    """Return how many contacts of a progress are done."""
    return int(progress["completed_contacts"]) + int(progress["failed_contacts"])
