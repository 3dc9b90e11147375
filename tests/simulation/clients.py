"""The clients of a world: they create, start, pause, resume, add, import, stop, repeat, race."""

import asyncio
import json
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from campaigns.domain.facts import CallEnded
from campaigns.domain.moves import FINAL, Status
from campaigns.process.virtual_time import NOON
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from tests.simulation.web import PREFIX, Exchange, csv_upload

if TYPE_CHECKING:
    from tests.simulation.world import World

RACED = (*["pause"] * 6, *["resume"] * 5, "start", "contacts")  # What two send at once.
VERBS = (
    *RACED, "contacts", *["import"] * 2, *["update"] * 2,
    "stop", "delete", "re-execute", "re-execute", "schedule", "unschedule",
)  # fmt: skip
AGAIN_S = 0.3


class Person:
    """One client of one campaign."""

    def __init__(self, world: "World", number: int, name: str) -> None:
        self.world, self.number = world, number
        self.dice: Random = world.plan.dice(f"person {number} {name}")
        self.campaign_id = 0
        self.phones = 0

    def _phone(self, new: bool) -> str:
        shape = self.world.plan.shape
        if not new:
            return f"+1202{self.number}{self.dice.randint(1, shape.contacts[self.number]):06}"
        self.phones += 1
        return f"+1{self.dice.randint(300, 900)}{self.dice.randint(2000000, 9999999)}"

    def request(self, verb: str, key: str | None) -> Exchange:
        """Make a request."""
        path, body, kind = f"{PREFIX}/{self.campaign_id}/{verb}", b"", "application/json"
        if verb == "contacts":
            phones = [self._phone(self.dice.random() < 0.8) for _ in range(self.dice.randint(1, 3))]
            body = json.dumps({"contacts": [{"phone_number": one} for one in phones]}).encode()
        elif verb == "import":
            phones = [self._phone(self.dice.random() < 0.7) for _ in range(self.dice.randint(1, 6))]
            body, kind = csv_upload(phones)
            path = f"{PREFIX}/{self.campaign_id}/import-data"
        elif verb == "update":
            settings = {
                "max_attempts": self.dice.choice((1, 1, 2, 3)),
                "max_concurrent_calls": self.dice.choice((1, 3, 6, 12)),
            }
            path, body = f"{PREFIX}/{self.campaign_id}", json.dumps({"settings": settings}).encode()
            return Exchange(verb, self.campaign_id, path, body, key, kind, "PATCH")
        elif verb == "re-execute":
            some = self.dice.choice(("all", "failed_only"))
            body = json.dumps({"contact_selection": some}).encode()
        elif verb == "schedule":
            at = NOON + timedelta(seconds=self.world.loop.true() + self.dice.uniform(0.2, 8.0))
            body = json.dumps({"schedule_type": "once", "scheduled_at": at.isoformat()}).encode()
        elif verb == "delete":
            path = f"{PREFIX}/{self.campaign_id}"
            return Exchange(verb, self.campaign_id, path, body, key, kind, "DELETE")
        return Exchange(verb, self.campaign_id, path, body, key, kind)

    async def ask(self, exchange: Exchange, patience_s: float = 30.0) -> Exchange:
        """Ask any instance."""
        return await self.world.ask(exchange, self.dice.randrange(60), patience_s)

    async def insist(self, exchange: Exchange) -> Exchange:
        """Repeat a request with its key until an answer says what has happened."""
        while True:
            asked = await self.ask(exchange)
            if asked.heard and asked.status is not None and asked.status < 500:
                return asked
            await asyncio.sleep(AGAIN_S)
            exchange = again(exchange)


def again(exchange: Exchange) -> Exchange:
    """Return the same request again."""
    return Exchange(
        exchange.verb,
        exchange.campaign_id,
        exchange.path,
        exchange.body,
        exchange.key,
        exchange.content_type,
        exchange.method,
    )


async def live(world: "World", number: int) -> None:
    """Create a campaign and start it; then run its clients until the faults end."""
    owner = Person(world, number, "owner")
    shape = world.plan.shape
    created = await owner.insist(_create(world, number, f"create {number}"))
    owner.campaign_id = int(created.shape["id"])
    if owner.dice.random() < 0.2:
        await owner.insist(owner.request("schedule", f"schedule {number}"))
        await asyncio.sleep(owner.dice.uniform(0.0, 8.0))
    else:
        await owner.insist(owner.request("start", f"start {number}"))
    people = [_operate(world, number, owner.campaign_id, n) for n in range(shape.operators)]
    people += [_toggle(world, number, owner.campaign_id, n) for n in range(shape.pausers)]
    people.append(_add_at_the_end(world, number, owner.campaign_id))
    await asyncio.gather(*people)


async def create_and_delete(world: "World") -> None:
    """Create campaigns one after the other, and delete each without starting it."""
    person = Person(world, 0, "creator")
    while world.loop.true() < world.plan.until_s:
        key = f"another {person.dice.randrange(10**9)}"
        created = await person.insist(_create(world, 0, key))
        person.campaign_id = int(created.shape["id"])
        await person.insist(person.request("delete", f"delete of {key}"))
        await asyncio.sleep(person.dice.uniform(0.0, 4.0))


def _create(world: "World", number: int, key: str) -> Exchange:
    shape = world.plan.shape
    body = {
        "name": f"campaign {number}",
        "assistant_id": 1,
        "campaign_type": "call",
        "settings": {
            "max_attempts": shape.max_attempts,
            "retry_delay_minutes": 5,
            "max_concurrent_calls": shape.concurrency,
            "calls_per_minute": shape.calls_per_minute,
        },
        "contacts": [
            {"phone_number": f"+1202{number}{n:06}"} for n in range(1, shape.contacts[number] + 1)
        ],
    }
    return Exchange("create", None, PREFIX, json.dumps(body).encode(), key)


async def _operate(world: "World", number: int, campaign_id: int, n: int) -> None:
    person = Person(world, number, f"operator {n}")
    person.campaign_id = campaign_id
    dice, plan = person.dice, world.plan
    racing: set[asyncio.Task[Any]] = set()
    while world.loop.true() < plan.until_s:
        await asyncio.sleep(min(dice.expovariate(0.6), 6.0))
        verb = dice.choice(VERBS)
        if verb == "re-execute":
            again_by = dice.choice(("start", "schedule", None))
            if again_by:
                racing.add(asyncio.create_task(_begin_again(person, again_by)))
        if verb in ("stop", "delete") and dice.random() < 0.7:
            continue
        if verb == "pause" and dice.random() < 0.3:
            await _tail(world, campaign_id)
        if verb in ("update", "import") and dice.random() < 0.6:  # Allowed while paused alone.
            await person.ask(person.request("pause", None))
        key = f"key {number} {n} {dice.randrange(10**9)}" if dice.random() < 0.6 else None
        exchange = person.request(verb, key)
        patience_s = dice.choice((0.002, 0.02, 0.5, 3.0)) if _hurried(world, n) else 30.0
        if verb == "pause" and dice.random() < 0.3:  # Somebody resumes while it settles.
            racing.add(asyncio.create_task(_meanwhile(person, "resume")))
        elif dice.random() < 0.2:  # Two at once, perhaps to two instances.
            racing.add(asyncio.create_task(_meanwhile(person, dice.choice(RACED))))
        asked = await person.ask(exchange, patience_s)
        if not asked.heard or (asked.status or 503) >= 500:
            if plan.strikes("repeat", f"repeat {n}", 0.8):
                world.story.danger("a client repeated itself")
                again_ = again(exchange)
                again_.key = exchange.key if dice.random() < 0.8 else None
                await person.ask(again_, 30.0)
        elif key and plan.strikes("repeat", f"late repeat {n}", 0.25):
            racing.add(asyncio.create_task(_repeat_later(person, exchange)))
        elif verb == "pause" and dice.random() < 0.3:
            racing.add(asyncio.create_task(person.ask(person.request("resume", None))))
        elif verb == "update" and asked.status == 200:
            racing.add(asyncio.create_task(_back_and_forth(person, exchange)))
    if racing:
        await asyncio.wait(racing)


async def _meanwhile(person: Person, verb: str) -> None:
    """Send a request during another client's: at once, or once that one is accepted."""
    await asyncio.sleep(person.dice.choice((0.0, 0.005, 0.05, 1.0)) * person.dice.random())
    await person.ask(person.request(verb, None))


async def _back_and_forth(person: Person, exchange: Exchange) -> None:
    """Change it and change it back, by every instance: one that lags finds it unchanged."""
    for _ in range(3):
        await person.ask(person.request("update", None))
        apis = range(len(person.world.apis))
        await asyncio.gather(*(person.world.ask(again(exchange), n, 30.0) for n in apis))


async def _toggle(world: "World", number: int, campaign_id: int, n: int) -> None:
    """Pause and resume repeatedly; re-execute the campaign when it has ended."""
    person = Person(world, number, f"pauser {n}")
    person.campaign_id = campaign_id
    dice, plan = person.dice, world.plan
    while world.loop.true() < plan.until_s:
        await asyncio.sleep(dice.choice((0.02, 0.5, 2.0)) * dice.random())
        paused = await person.ask(person.request("pause", None), dice.choice((0.01, 30.0, 30.0)))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.choice((0.01, 1.0)) * dice.random())
        if paused.status == 400 and _over(world, campaign_id):
            await person.ask(person.request("re-execute", None))
            await person.ask(person.request("start", None))
        else:
            await person.ask(person.request("resume", None))


def _over(world: "World", campaign_id: int) -> bool:
    campaign = world.seen(campaign_id)
    return campaign is not None and campaign.status in FINAL


async def _begin_again(person: Person, verb: str) -> None:
    """Begin what is re-executed meanwhile, or have it begun."""
    await asyncio.sleep(person.dice.uniform(0.0, 1.0))
    await person.ask(person.request(verb, None))


async def _repeat_later(person: Person, exchange: Exchange) -> None:
    """Repeat a request much later, as proxies and queues do."""
    await asyncio.sleep(person.dice.uniform(0.0, 6.0))
    person.world.story.danger("a client repeated itself")
    await person.ask(again(exchange))


def _hurried(world: "World", n: int) -> bool:
    return world.plan.strikes("impatient", f"operator {n}", 0.2)


async def _tail(world: "World", campaign_id: int) -> None:
    """Wait for the tail of a run, a while."""
    for _ in range(100):
        campaign = world.seen(campaign_id)
        if campaign and campaign.counters.pending <= 1 and campaign.counters.in_progress:
            world.story.danger("a pause in the tail of a run")
            return
        if world.loop.true() >= world.plan.until_s:
            return
        await asyncio.sleep(0.05)


async def _add_at_the_end(world: "World", number: int, campaign_id: int) -> None:
    """Add contacts within milliseconds of a completion, on purpose: when the last call ends."""
    person = Person(world, number, "adder")
    person.campaign_id = campaign_id
    dice, ended = person.dice, asyncio.Event()

    def watch(recorded: Recorded) -> None:
        envelope = recorded.envelope
        if isinstance(envelope, Envelope) and any(
            isinstance(fact, CallEnded) and fact.campaign_id == campaign_id
            for fact in recorded.facts
        ):
            campaign = world.seen(campaign_id)
            if campaign and not campaign.counters.pending and len(campaign.calls) <= 1:
                ended.set()

    world.log.watchers.append(watch)
    for _ in range(dice.randint(0, 3)):
        try:
            async with asyncio.timeout(max(0.01, world.plan.until_s - world.loop.true())):
                await ended.wait()
        except TimeoutError:
            break
        ended.clear()
        world.story.danger("contacts came at the moment of completion")
        await asyncio.sleep(dice.choice((0.0, 0.001, 0.003)) * dice.random())
        await person.ask(person.request("contacts", None))
    world.log.watchers.remove(watch)


async def finish(world: "World") -> None:
    """Bring every campaign to its end, now that the faults are over."""
    await asyncio.gather(*(_finish(world, n) for n in range(world.plan.shape.campaigns)))


async def _finish(world: "World", number: int) -> None:
    person = Person(world, number, "finisher")
    campaigns = [
        campaign_id
        for exchange in world.exchanges
        if exchange.verb == "create" and exchange.key == f"create {number}" and exchange.heard
        for campaign_id in [exchange.shape.get("id")]
        if campaign_id
    ]
    assert campaigns, "live() insisted"
    person.campaign_id = int(campaigns[-1])
    while True:
        campaign = world.seen(person.campaign_id)
        over = campaign is not None and campaign.status in FINAL and not campaign.calls
        if over and not world.log.on_its_way:
            return
        if campaign is not None and campaign.status in (Status.PAUSED, Status.DRAFT):
            await person.ask(person.request("start", None))
        await asyncio.sleep(1.0)
