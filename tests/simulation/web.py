"""Clients' way to the command API: the real application, without sockets.

One application for all instances of all worlds: it answers as the process does in whose context
it runs, so that it is built once.
"""

import asyncio
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast
from uuid import uuid4

from fastapi import FastAPI
from pydantic import SecretStr

from campaigns.domain.api_keys import ApiKeys
from campaigns.http.door import POSITION
from campaigns.http.edge import install
from campaigns.http.size_limits import Limits
from command_api.http import (
    campaign_routes,
    change_routes,
    import_routes,
    re_execution_routes,
    schedule_routes,
)
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from tests.simulation.processes import OWNER, Process, SimLoop

KEY = "one"
SETTINGS = CommandApiSettings(api_keys=SecretStr(f"{KEY}:1"))
PREFIX = "/api/v1/campaigns"
BOUNDARY = "simulated"


class _Whoever:
    """The command API in whose process this is asked."""

    def __init__(self) -> None:
        self.keys, self.settings = ApiKeys(), SETTINGS
        self.keys.add(KEY, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(OWNER.get().part, name)


@cache
def application() -> FastAPI:
    """Return the application."""
    app = FastAPI(redirect_slashes=False)
    service = cast(CommandApi, _Whoever())
    parts = campaign_routes, change_routes, re_execution_routes, schedule_routes, import_routes
    routers = [part.router(service) for part in parts]
    install(app, Limits(1_000_000, 1_000_000), routers)
    return app


@dataclass
class Exchange:
    """One request, and what came of it. Times are true."""

    verb: str  # create, start, pause, resume, stop, contacts, import, update, …
    campaign_id: int | None
    path: str
    body: bytes
    key: str | None
    content_type: str = "application/json"
    method: str = "POST"
    id: str = field(default_factory=lambda: uuid4().hex)
    sent_at_s: float = 0.0
    by: str = ""
    answered_at_s: float | None = None  # When the server began to answer. None: it did not.
    status: int | None = None
    shape: dict[str, Any] = field(default_factory=dict)
    position: tuple[int, int] | None = None  # Partition, position.
    heard: bool = False  # The client was still there.

    @property
    def detail(self) -> str:
        """Return why not."""
        return str(self.shape.get("detail"))


async def serve(process: Process, exchange: Exchange, loop: SimLoop) -> None:
    """Answer a request, as a step of the process."""
    sent = False
    headers = [
        (b"host", b"simulated"),
        (b"authorization", f"Bearer {KEY}".encode()),
        (b"content-type", exchange.content_type.encode()),
        (b"content-length", str(len(exchange.body)).encode()),
        (b"x-request-id", exchange.id.encode()),
    ]
    if exchange.key:
        headers.append((b"idempotency-key", exchange.key.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": exchange.path,
        "raw_path": exchange.path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("client", 1),
        "server": ("simulated", 80),
    }
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": exchange.body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            exchange.answered_at_s = loop.true()
            exchange.status = message["status"]
            for name, value in message["headers"]:
                if name.decode().lower() == POSITION.lower():
                    number, _, position = value.decode().partition("@")
                    exchange.position = (int(number), int(position))
        else:
            parts.append(message.get("body", b""))

    await application()(scope, receive, send)
    exchange.shape = json.loads(b"".join(parts) or b"{}")


def csv_upload(phones: list[str]) -> tuple[bytes, str]:
    """Return the body and the content type of a CSV file's upload."""
    text = "phone,name\r\n" + "".join(f"{phone},Ann\r\n" for phone in phones)
    body = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="people.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n"
    )
    return body.encode(), f"multipart/form-data; boundary={BOUNDARY}"
