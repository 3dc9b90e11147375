"""The command API and the projector behind one address, in this process, on a log in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from campaigns.http.edge import install
from campaigns.http.size_limits import Limits
from campaigns.log.port import EventLog, MemoryLog
from campaigns.process.clock import SystemClock
from campaigns.records.topics import CAMPAIGN_RECORDS, ORGANIZATIONS, campaign_partitions
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_settings import WebhookSettings
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from projector.feeds.publisher import EventPublisher
from projector.service import Projector
from projector.settings import ProjectorSettings

LIMITS = Limits(body_max_bytes=50_000, upload_max_bytes=2_000_000)
KEYS = "one:1,two:2"
WEBHOOKS = WebhookSettings(private=True, fresh_s=0.2, retry_wait_s=0.02)
CAMPAIGNS = "/api/v1/campaigns"
BODY: dict[str, Any] = {"name": "Sample", "assistant_id": 1, "campaign_type": "call"}


@dataclass
class Whole:
    """One running instance of both, and a client of organization 1."""

    log: EventLog
    commands: CommandApi
    client: httpx.AsyncClient
    app: FastAPI
    projector: Projector

    async def ends(self) -> dict[object, int]:
        """Return where the log ends, all of it."""
        partitions = campaign_partitions(self.log.partitions(CAMPAIGN_RECORDS))
        return dict(await self.log.ends([*partitions, ORGANIZATIONS]))

    async def create(self, **more: object) -> int:
        """Create a campaign; return its id."""
        answer = await self.client.post(CAMPAIGNS, json=BODY | more)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    async def upload(
        self, campaign_id: int, file: str | bytes, **form: str
    ) -> tuple[int, dict[str, Any]]:
        """Import a CSV file; return the status and the answer."""
        answer = await self.client.post(
            f"{CAMPAIGNS}/{campaign_id}/import-data",
            files={"file": ("people.csv", file, "text/csv")},
            data=form,
        )
        return answer.status_code, answer.json()

    async def get(self, path: str) -> dict[str, Any]:
        """Return what a GET answers."""
        answer = await self.client.get(f"{CAMPAIGNS}/{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def whole_api(
    log: EventLog | None = None,
    *,
    rows_max: int = 20_000,
    contacts_max: int = 200,
    publisher: EventPublisher | None = None,
    data_dir: Path | None = None,
    limits: Limits = LIMITS,
    settings: ProjectorSettings | None = None,
    webhooks: WebhookSettings = WEBHOOKS,
) -> AsyncIterator[Whole]:
    """Run both services on a log, with small limits. `data_dir` None: stores in memory.

    `settings`: the projector's.
    """
    log = log or MemoryLog(2)
    keys = SecretStr(KEYS)
    of_commands = CommandApiSettings(
        api_keys=keys, import_rows_max=rows_max, contacts_max=contacts_max
    )
    key = KeyPlace(bytes(32))
    commands = CommandApi(
        log, SystemClock(), of_commands, data_dir, master_keys=key, webhooks=webhooks
    )
    asked = settings or ProjectorSettings(api_keys=keys)
    projector = Projector(
        log, SystemClock(), asked, data_dir, publisher, master_keys=key, webhooks=webhooks
    )
    app = FastAPI(redirect_slashes=False)
    install(app, limits, [*commands.routers(), *projector.routers()])
    await commands.open()
    await projector.open()
    running = [asyncio.create_task(part.run()) for part in (commands, projector)]
    # As a server does it: an unforeseen exception is a 500, and no test passes with one.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": "Bearer one"}
    )
    async with client:
        yield Whole(log, commands, client, app, projector)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await commands.close()
    await projector.close()
