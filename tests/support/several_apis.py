"""Several command APIs on one log, and a dialer's hand that writes what a test says.

On virtual time where the log is in memory: `virtually` makes a plain test of a coroutine.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact
from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignFact,
    CreateKeyed,
    Disposition,
)
from campaigns.domain.values.stream_names import Stream
from campaigns.gates.room import Reading
from campaigns.http.edge import install
from campaigns.log.port import EventLog, MemoryLog
from campaigns.process.clock import Clock
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    Partition,
    campaign_partition,
    campaign_partitions,
)
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from dialer.decisions.request_call import REQUEST_CALL, RequestCall
from tests.support.race import everything
from tests.support.whole_api import BODY, CAMPAIGNS, KEYS, LIMITS

P = ParamSpec("P")
F = TypeVar("F")
# Permissions of one instant are tens: the rate is not what these tests are about.
QUICK = {"settings": {"calls_per_minute": 6_000}}
CONTACTS = [{"phone_number": f"555{n:07d}"} for n in range(1, 4)]
DAY_S = 86_400.0  # Virtual: a test that is not done by then never will be.


def virtually(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on virtual time."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(DAY_S):
                await test(*args, **kwargs)

        run_virtually(bounded())

    return run


@dataclass
class Instance:
    """One command API, and a client of organization 1."""

    api: CommandApi
    client: httpx.AsyncClient

    async def post(
        self, path: str, *, key: str | None = None, bearer: str = "one", **more: Any
    ) -> httpx.Response:
        """Send a command; `key` is its Idempotency-Key."""
        headers = {"Authorization": f"Bearer {bearer}"} | more.pop("headers", {})
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.post(f"{CAMPAIGNS}{path}", headers=headers, **more)

    async def create(self, **more: object) -> int:
        """Create a campaign of three contacts; return its id."""
        answer = await self.post("", json=BODY | {"contacts": CONTACTS, **QUICK} | more)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    async def done(self, campaign_id: int, move: str) -> dict[str, Any]:
        """Move a campaign on; return the answer."""
        answer = await self.post(f"/{campaign_id}/{move}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def running(self, **more: object) -> int:
        """Create and start a campaign; return its id."""
        campaign_id = await self.create(**more)
        await self.done(campaign_id, "start")
        return campaign_id


@dataclass
class Audit:
    """What a reader that was not there finds in the log."""

    accepted_at: list[tuple[AnyFact, str]] = field(default_factory=list)  # With partition@position.
    records: list[Envelope] = field(default_factory=list)  # Accepted.
    refused: int = 0
    campaigns: Campaigns = field(default_factory=Campaigns)
    ledgers: dict[Partition, Ledger] = field(default_factory=dict)

    @property
    def accepted(self) -> list[AnyFact]:
        """Return the accepted facts, a partition after the other."""
        return [fact for fact, _ in self.accepted_at]

    def of(self, kind: type[F], campaign_id: int) -> list[F]:
        """Return the accepted facts of one kind of one campaign."""
        return [
            fact
            for fact in self.accepted
            if isinstance(fact, kind)
            and isinstance(fact, CampaignFact | CreateKeyed)
            and fact.campaign_id == campaign_id
        ]


@dataclass
class Several:
    """One log and one clock, for any number of instances."""

    log: EventLog
    clock: Clock

    @contextlib.asynccontextmanager
    async def instance(
        self,
        data_dir: Path | None = None,
        *,
        log: EventLog | None = None,
        following: bool = True,
        **knobs: float,
    ) -> AsyncIterator[Instance]:
        """Run one instance; `log` when its way to the log is its own, `following` unless cut off.

        A `data_dir` keeps its checkpoint.
        """
        settings = CommandApiSettings.model_validate({"api_keys": SecretStr(KEYS)} | knobs)
        api = CommandApi(log or self.log, self.clock, settings, data_dir)
        app = FastAPI(redirect_slashes=False)
        install(app, LIMITS, api.routers())
        await api.open()
        running = asyncio.create_task(api.run()) if following else None
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                yield Instance(api, client)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait([running])
                if not running.cancelled():
                    running.exception()  # Unread, asyncio reports it in the middle of another test.
        await api.close()

    async def audit(self) -> Audit:
        """Read all campaigns' records, and rule on them."""
        audit = Audit()
        for partition in campaign_partitions(self.log.partitions(CAMPAIGN_RECORDS)):
            ledger = audit.ledgers[partition] = Ledger()
            for recorded in await everything(self.log, partition):
                envelope = recorded.envelope
                if not isinstance(envelope, Envelope) or not ledger.admit(envelope):
                    audit.refused += 1
                    continue
                audit.records.append(envelope)
                for fact in recorded.facts:
                    audit.accepted_at.append((fact, f"{partition.number}@{recorded.position}"))
                    if isinstance(fact, CampaignFact):
                        audit.campaigns.fold(fact, recorded)
        return audit

    # -- the dialer's hand ---------------------------------------------------------------------

    async def offer(
        self,
        campaign_id: int,
        *facts: AnyFact,
        guards: tuple[Stream, ...] = (),
        record_id: str = "",
        seen: Audit | None = None,
    ) -> None:
        """Append facts, decided on all that the log holds now, or on what was `seen` before."""
        partition = campaign_partition(campaign_id, self.log.partitions(CAMPAIGN_RECORDS))
        ledger = (seen or await self.audit()).ledgers[partition]
        streams = {fact.stream for fact in facts} | set(guards)
        record = Record(
            record_id or uuid4().hex, self.clock.now(), "test", "dialer", "test", None,
            ledger.condition(streams), facts,
        )  # fmt: skip
        await self.log.append(partition, record, campaign_id)

    async def permit(
        self,
        campaign_id: int,
        contact_id: int = 1,
        *,
        lease_s: float = 2.0,
        carrier_timeout_s: float = 5.0,
        refuses_late: bool = True,
        seen: Audit | None = None,
    ) -> CallRequested:
        """Request a permission, as a dialer does that has read the log up to `seen`."""
        seen = seen or await self.audit()
        campaign = seen.campaigns.by_id[campaign_id]
        command = RequestCall(
            uuid4().hex, campaign_id, contact_id, self.clock.now(), lease_s, carrier_timeout_s,
            refuses_late,
        )  # fmt: skip
        facts = REQUEST_CALL.decide(Reading(campaign, Contact(contact_id)), command)
        assert isinstance(facts, tuple), facts
        (fact,) = facts
        assert isinstance(fact, CallRequested)
        guards = REQUEST_CALL.streams(command)
        await self.offer(campaign_id, fact, guards=guards, record_id=command.call_id, seen=seen)
        return fact

    async def ring(self, call: CallRequested) -> None:
        """Let the phone ring."""
        await self.offer(call.campaign_id, CallStarted(**_names(call), started_at=self.clock.now()))

    async def abandon(self, call: CallRequested) -> None:
        """Give the permission back."""
        fact = CallAbandoned(
            **_names(call), reason=Abandonment.NOT_RUNNING, abandoned_at=self.clock.now()
        )
        await self.offer(call.campaign_id, fact)

    async def end(self, call: CallRequested, how: Disposition = Disposition.ANSWERED) -> None:
        """End the attempt for good."""
        fact = CallEnded(
            **_names(call), disposition=how, duration_s=1.0, error=None, retry_at=None,
            ended_at=self.clock.now(),
        )  # fmt: skip
        await self.offer(call.campaign_id, fact)

    async def complete(self, campaign_id: int) -> None:
        """Say that every contact is done."""
        await self.offer(
            campaign_id,
            CampaignCompleted(campaign_id=campaign_id, run=1, completed_at=self.clock.now()),
        )


def _names(call: CallRequested) -> dict[str, Any]:
    names = ("campaign_id", "contact_id", "call_id", "run", "attempt")
    return {name: getattr(call, name) for name in names}


def in_memory(partitions: int = 2) -> Several:
    """Return a log in memory on the running loop's virtual time."""
    return Several(MemoryLog(partitions), VirtualClock(asyncio.get_running_loop()))
