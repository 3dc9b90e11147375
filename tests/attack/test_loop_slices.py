"""However a request is made, no slice of the event loop costs more than 20 ms of processor time.

The whole of both services runs in this process, and each turn of the loop is measured in the time
of its thread: what others do on the machine does not count, and no average hides a long one.
"""

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from campaigns.http.edge import UPLOAD
from campaigns.http.size_limits import Limits
from campaigns.records.topics import campaign_partitions
from tests.attack.test_holds import BODIES, UPLOADS, contacts
from tests.steps import HOLD_MAX_S
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

PIECE_BYTES = 64 * 1024  # That a server hands over at once.
LIMITS = Limits(body_max_bytes=10 * 2**20, upload_max_bytes=100 * 2**20)
NUMBERS = [{"phone_number": f"+1555{n:07d}", "variables": {"v": "x" * 50}} for n in range(9_000)]
CREATE = {"name": "n", "assistant_id": 1, "campaign_type": "call"}
KINDS: dict[str, tuple[str, Callable[[], bytes], int]] = {
    **{what: (UPLOAD, make, statuses[0]) for what, (make, statuses) in UPLOADS.items()},
    **{what: ("/contacts", make, status) for what, (make, status) in BODIES.items()},
    "a create with contacts": (
        "",
        lambda: json.dumps(CREATE | {"contacts": NUMBERS}).encode(),
        200,
    ),
    "contacts of many kinds": ("/contacts", lambda: contacts(b'"x"', b"1", times=4_000), 422),
}


class Slices:
    """The longest turn of the loop, of this thread's processor time, and what it was."""

    def __init__(self) -> None:
        self.most_s, self.what, self.count = 0.0, "", 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure every turn for as long as this lasts."""
        run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            began_s = time.thread_time()
            run(handle)
            took_s = time.thread_time() - began_s
            self.count += 1
            if took_s > self.most_s:
                self.most_s, self.what = took_s, repr(handle)

        gc.disable()  # It looks at all that tests have left in this process.
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(asyncio.Handle, "_run", timed)
                yield
        finally:
            gc.enable()


async def ask(whole: Whole, path: str, kind: bytes, body: bytes, key: bytes | None) -> int:
    """Send a request to the application as a server does; return its status."""
    pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
    statuses = list[int]()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"authorization", b"Bearer one"), (b"content-type", kind)]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": headers + ([(b"idempotency-key", key)] if key else []),
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip
    await whole.app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("what", KINDS)
def test_no_slice_of_the_loop_is_long(what: str) -> None:
    where, make, status = KINDS[what]
    body, slices = make(), Slices()
    kind = b"multipart/form-data; boundary=b" if where == UPLOAD else b"application/json"

    async def scenario() -> None:
        async with whole_api(contacts_max=10_000, rows_max=1_000_000, limits=LIMITS) as whole:
            path = CAMPAIGNS + (f"/{await whole.create()}" if where else "") + where
            await ask(whole, path, kind, b"", None)  # What is made at its first use.
            with slices.measured():
                found = await ask(whole, path, kind, body, b"key")
                await whole.commands.reader.catch_up(campaign_partitions(2), within_s=60)
                await whole.projector.views.reader.catch_up(campaign_partitions(2), within_s=60)
            assert found == status

    asyncio.run(scenario())
    print(f"{what}: {slices.count} slices, {slices.most_s * 1000:.1f} ms: {slices.what}")
    assert slices.most_s < HOLD_MAX_S, slices.what
