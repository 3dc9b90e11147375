"""`dialgate demo`: one campaign with a pause, on a running system, drawn as text."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.progress import Progress

from campaigns.process.printable_text import clean
from dialgate.pictures.text_chart import WIDTH, text_chart
from dialgate.verbs.terminal import say

SILENCE_S = 4.0
POLL_S = 0.2
GIVE_UP_S = 120.0


@dataclass
class Demo:
    """One campaign: start, pause, silence, resume, completion."""

    client: httpx.Client
    contacts: int
    say: Callable[[str], None]
    marks: list[tuple[float, str]] = field(default_factory=list)  # Unix time and a label.
    campaign_id: int = 0

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        """Send a command and return its answer; exit when it fails."""
        answer = self.client.post(f"/api/v1/campaigns{path}", json=body)
        if answer.is_error:
            raise _end(f"{path or 'create'}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def progress(self) -> dict[str, Any]:
        """Return the campaign's counters."""
        answer = self.client.get(f"/api/v1/campaigns/{self.campaign_id}/progress")
        answer.raise_for_status()
        return dict(answer.json())

    def run(self, bar: Progress) -> None:
        """Run the campaign from its creation to its completion."""
        task = bar.add_task("contacts done", total=self.contacts)
        made = self.post(
            "",
            {
                "name": "Demo", "assistant_id": 1, "campaign_type": "call",
                "contacts": [{"phone_number": f"+1555{n:07}"} for n in range(self.contacts)],
                # Retries are at least five minutes apart: one attempt keeps the demo short.
                "settings": {
                    "max_attempts": 1, "calls_per_minute": 2400, "max_concurrent_calls": 25
                },
            },
        )  # fmt: skip
        self.campaign_id = made["id"]
        self.mark("start")
        self.post(f"/{self.campaign_id}/start")
        self._until(bar, task, lambda done, _: done >= self.contacts // 3)
        paused = self.post(f"/{self.campaign_id}/pause")
        self.mark("pause answered")
        receipt = paused["receipt"]
        self.say(
            f"paused: {receipt['contacts_pending']} contacts pending,"
            f" {receipt['calls_in_progress']} calls in progress,"
            f" settled in {receipt['settled_in_ms']:.1f} ms, {receipt['guarantee']}"
        )
        time.sleep(SILENCE_S)
        self.mark("resume")
        self.post(f"/{self.campaign_id}/resume")
        self._until(bar, task, lambda _, status: status == "completed")
        self.mark("completed")

    def mark(self, what: str) -> None:
        """Mark this moment in the picture."""
        self.marks.append((time.time_ns() / 1e9, what))

    def _until(self, bar: Progress, task: Any, enough: Callable[[int, str], bool]) -> None:
        give_up_at = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up_at:
            seen = self.progress()
            done = seen["progress"]["completed"] + seen["progress"]["failed"]
            bar.update(task, completed=done)
            if enough(done, seen["status"]):
                return
            time.sleep(POLL_S)
        raise _end(f"expected the campaign to get on within {GIVE_UP_S:.0f} s, found {seen}")

    def started(self) -> list[float]:
        """Return when each call began by the executions, in Unix time."""
        times, page = [], 1
        while True:
            answer = self.client.get(
                f"/api/v1/campaigns/{self.campaign_id}/executions",
                params={"page": page, "per_page": 1000},
            )
            answer.raise_for_status()
            found = answer.json()
            times += [_unix(execution["executed_at"]) for execution in found["executions"]]
            if not found["pagination"]["has_next"]:
                return times
            page += 1


def _end(why: str) -> SystemExit:
    return SystemExit(clean(f"dialgate demo: {why}"))


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def rings_of(carrier_log: Path, campaign_id: int) -> list[float]:
    """Return when each ring of a campaign began by the carrier's log, in Unix time."""
    rings = []
    for line in carrier_log.read_bytes().splitlines():
        try:
            ring = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # A crash cut this line off; the carrier went on with a new one.
        if ring.get("campaign_id") == campaign_id:
            rings.append(ring["began_at_ns"] / 1e9)
    return rings


def picture(rings: list[float], marks: list[tuple[float, str]]) -> str:
    """Return calls over time as text: one bar a slice of time, the marks below."""
    first, last = marks[0][0], max([marks[-1][0], *rings])
    slice_s = max((last - first) / WIDTH, 1e-9)
    counts = [0] * (WIDTH + 1)
    for ring in rings:
        counts[min(WIDTH, max(0, int((ring - first) / slice_s)))] += 1
    return text_chart(counts, slice_s, [(int((at - first) / slice_s), what) for at, what in marks])


def late_rings(rings: list[float], marks: list[tuple[float, str]]) -> int:
    """Count the rings that began between the pause's answer and the resume."""
    moments = {what: at for at, what in marks}
    return sum(moments["pause answered"] < ring < moments["resume"] for ring in rings)


def run(address: str, key: str, contacts: int, carrier_log: Path | None) -> int:
    """Run the demo. Returns 1 when a ring began during the pause or calls are missing, else 0."""
    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx.Client(base_url=address, headers=headers, timeout=60) as client,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        demo = Demo(client, contacts, say)
        try:
            demo.run(bar)
            rings = rings_of(carrier_log, demo.campaign_id) if carrier_log else demo.started()
        except httpx.TransportError as exc:
            raise _end(f"{address}: {exc}") from exc
    late = late_rings(rings, demo.marks)
    say(picture(rings, demo.marks))
    judge = "the carrier's log" if carrier_log else "the executions"
    say(f"{len(rings)} calls, {late} of them between pause and resume, by {judge}")
    return 0 if late == 0 and len(rings) == contacts else 1
