"""A world from a seed: the real command APIs and dialers on simulated machines, log and carrier."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_api.imports.csv_imports
import command_api.imports.rows
import command_api.slices
from campaigns.domain.campaign import Campaign
from campaigns.domain.carrier_refusals import RefusalLimits
from campaigns.domain.facts import CallRequested
from campaigns.domain.moves import FINAL
from campaigns.log.port import MemoryLog
from campaigns.process.errors import LogUnavailableError
from campaigns.process.virtual_time import StalledError
from command_api.open_lists import OpenLists
from command_api.service import CommandApi
from dialer.service import Dialer
from dialer.settings import DialerSettings
from projector.service import Projector
from projector.settings import ProjectorSettings
from tests.simulation import web
from tests.simulation.clients import create_and_delete, finish, live
from tests.simulation.clocks import SimClock
from tests.simulation.copies import Copies
from tests.simulation.cuts import cut, is_cut, let_go
from tests.simulation.erasers import Erasers
from tests.simulation.faulty_carrier import CarrierPort, SimCarrier
from tests.simulation.faulty_log import LogPort, SimLog
from tests.simulation.injections import FaultyDialer, is_injected, undecidable
from tests.simulation.numbers import Phones
from tests.simulation.operators import Operators
from tests.simulation.plan import Deed, Plan, draw
from tests.simulation.processes import Process, SimLoop
from tests.simulation.reasons import Reasons
from tests.simulation.removal import swapped
from tests.simulation.story import Story
from tests.simulation.web import Exchange, serve

WHY_OF = 5  # Worlds, of which one is asked why thoroughly (`Reasons`).
HOSTED = 0.3  # Of the dialers: the fold is a command API's, in one process with them (ADR-0033).
GONE = 0.2  # Of the dialers that died while another one works: they never come back.
QUIET_MAX_S = 360.0  # Nothing has such long pauses: a retry comes after 300.
ANSWERS_S = 2.0  # What a process that stops gives the requests under way.
STOP_S = 6.0  # What a process is given to stop: longer than it takes to drain.
SETTLE_S = 12.0  # Then a little more: what comes late shows itself.
AHEAD_MAX_S = 0.7  # Wall clocks differ by less than any carrier timeout (an assumption).
FAIR_AHEAD_MAX_S = 0.1  # … and, when all is well, by less than half of any lease.
RATE_MAX = 5e-5  # Drift: what an undisciplined quartz does.

# A limit, not a mechanism: longer files are announced and come in chunks.
SHORT_IMPORTS = ((command_api.imports.csv_imports, "ROWS_IN_REQUEST", 3),)
# Slices are measured in real time, and a world must not depend on it: none is cut.
WHOLE = ((command_api.slices, "SLICE_S", float("inf")),)
# Limits as well: a list of one is longer than a record, and is closed when no chunk came for 6 s.
LONG_LISTS = (
    (command_api.imports.rows, "RECORD_BYTES_MAX", command_api.imports.rows.ROOM_BYTES + 660),
    (command_api.imports.rows.chunks, "__defaults__", (600,)),
    (OpenLists.run, "__kwdefaults__", {"check_s": 1.0}),
)
LONG_LIST_STALE_S = 6.0
UNPLACED = RefusalLimits(its_own=3, anybodys=6)  # Rests of minutes are too long for a world.
VIEWS = ProjectorSettings(api_keys=web.SETTINGS.api_keys)
Service = CommandApi | Dialer | Projector


@dataclass
class Slot:
    """Where one service lives, life after life."""

    name: str
    clock: SimClock
    index: int
    directory: Path | None
    process: Process
    lives: int = 0
    busy: bool = False  # A scheduled fault is in progress on it.


@dataclass
class World:
    """One run. `until_s` and `without` make its plan a smaller one."""

    seed: int
    until_s: float | None = None
    without: frozenset[str] = frozenset()
    asks_why: bool = True  # At each reaction. False: only where it is asked thoroughly.
    thorough: bool | None = None  # When it asks why, at each reaction. None: one in WHY_OF.
    exchanges: list[Exchange] = field(default_factory=list)
    reasons: Reasons = field(default_factory=Reasons)
    crashes: list[str] = field(default_factory=list)
    finished: bool = False
    raised_in: list[Process] = field(default_factory=list)  # An exception, in a reaction.
    fell: list[Process] = field(default_factory=list)  # Processes that ended because of it.
    cut_under_way: bool = False  # A service that notices it must end.
    put_back: Callable[[], None] = lambda: None  # Makes the log whole again, if it was cut.
    ended_at_s: float = 0.0
    parts_at_the_end: dict[str, Service] = field(default_factory=dict)
    _buried: list[Process] = field(default_factory=list)

    def run(self) -> "World":
        """Live it through. What came of it is for the auditor."""
        self.plan: Plan = draw(self.seed, until_s=self.until_s, without=self.without)
        with tempfile.TemporaryDirectory(prefix="dialgate-world-", dir=_fast()) as directory:
            self._root = Path(directory)
            self.loop = SimLoop()
            self.loop.set_exception_handler(self._unforeseen)
            try:
                short = "long-imports" in self.plan.kinds
                self.plan.struck["long-imports"] += short
                long = LONG_LISTS if "long-lists" in self.plan.kinds else ()
                imports = SHORT_IMPORTS if short else ()
                chosen = self.thorough
                self.reasons.thorough = self.seed % WHY_OF == 0 if chosen is None else chosen
                why = self.reasons.swaps() if self.asks_why or self.reasons.thorough else []
                with swapped(*WHOLE, *imports, *long, *undecidable(self.plan), *why):
                    self.loop.run_until_complete(self._live())
            except StalledError as exc:
                self.story.tell("world", "stands still: {}", exc)
                self.crashes.append(f"the world stands still: {exc}")
            finally:
                self.ended_at_s = self.loop.true()
                self._end_all()
                self.put_back()
        return self

    async def _live(self) -> None:
        plan, loop = self.plan, self.loop
        plan.now = loop.true
        self.story = Story(loop.true)
        shape = plan.shape
        self.log = SimLog(loop, plan, self.story, MemoryLog(shape.partitions), self._dies)
        self.carrier = SimCarrier(loop, plan, self.story, self._clock("carrier"))
        self.apis = [self._slot("api", n) for n in range(shape.apis)]
        self.dialers = [self._slot("dialer", n) for n in range(shape.dialers)]
        self.projectors = [self._slot("views", n) for n in range(shape.projectors)]
        self.phones = Phones(self.log.core.list_keys)
        self.log.watchers.append(self.phones.note)
        self.operators, self.copies = Operators(self), Copies(self)
        self.erasers = Erasers(self)
        for slot in self.slots:
            self._begin(slot)
        for deed in plan.deeds:
            if deed.at_s < plan.until_s:
                loop.outside(deed.at_s, self._do, deed)
        if "exchange" in plan.kinds:
            for _ in range(plan.dice("exchange").choice((1, 2, 3))):
                loop.outside(plan.dice("exchange").uniform(1.0, 30.0), self.carrier.exchange)
        self.carrier.terms.begin()
        clients = [loop.create_task(live(self, n)) for n in range(shape.campaigns)]
        if "long-lists" in plan.kinds:
            clients.append(loop.create_task(create_and_delete(self)))
        await asyncio.sleep(max(plan.until_s, 5.0))
        self._make_fair()
        finishing = loop.create_task(self._finish(clients))
        while not finishing.done() and loop.true() < self.log.moved_at_s + QUIET_MAX_S:
            await asyncio.wait([finishing], timeout=10.0)
        self.finished = finishing.done() and finishing.exception() is None
        if not self.finished:
            self.story.tell("world", "nothing happens, and not all is done")
        await self._compare()
        await cut(self)

    async def _finish(self, clients: "list[asyncio.Task[None]]") -> None:
        await asyncio.gather(*clients)
        while self.log.on_its_way or not self.all_done():
            await finish(self)  # What comes late may need to be seen through again.
            await asyncio.sleep(0.5)
        await asyncio.sleep(SETTLE_S)

    def _end_all(self) -> None:
        """End what is left of every process, unseen."""
        copy = [self.copies.process] if self.copies.process else []
        erasers = self.erasers.processes
        processes = [*(slot.process for slot in self.slots), *self._buried, *copy, *erasers]
        for process in processes:
            if isinstance(process.part, Dialer):
                process.part.reactions.stop()
        self.loop.bury(processes)

    # -- processes -----------------------------------------------------------------------------

    @property
    def slots(self) -> list[Slot]:
        """Return where services live."""
        return [*self.apis, *self.dialers, *self.projectors]

    def _clock(self, name: str) -> SimClock:
        dice, differ = self.plan.dice(f"clock {name}"), "clocks" in self.plan.kinds
        rate, ahead = dice.uniform(-RATE_MAX, RATE_MAX), dice.uniform(-AHEAD_MAX_S, AHEAD_MAX_S)
        now = self.loop.true
        self.plan.struck["clocks"] += differ
        return SimClock(now, rate=1 + rate, ahead_s=ahead) if differ else SimClock(now)

    def _slot(self, kind: str, index: int) -> Slot:
        name, clock = f"{kind}{index}", self._clock(f"{kind}{index}")
        ends = any(deed.kind in ("kill", "stop") for deed in self.plan.deeds)
        mortal = kind == "views" or ends
        directory = self._root / name if mortal else None
        return Slot(name, clock, index, directory, Process(name, clock))

    def _begin(self, slot: Slot) -> None:
        """Begin a slot's next life."""
        slot.lives += 1
        slot.process = process = Process(f"{slot.name}.{slot.lives}", slot.clock)
        process.on_last_step = lambda: self._kill(slot)
        if slot.directory:
            slot.directory.mkdir(exist_ok=True)
        self.story.tell(process.name, "begins")
        process.life = self.loop.spawn(process, self._life(slot, process))

    async def _life(self, slot: Slot, process: Process) -> None:
        try:
            part = process.opening = self._part(slot, process)
            await part.open()
            process.part, process.opened_at_s = part, self.loop.true()
            if isinstance(part, Dialer) and self._shared:
                part.shares_partitions(tuple)
                part.assigned(self._some_partitions())
            await part.run()
        except Exception as exc:  # Whatever else it is, a service should not end of it.
            if self.operators.foreseen(exc):
                self.operators.again(slot, process)
            elif process.part is None and isinstance(exc, LogUnavailableError):
                self.operators.again(slot, process)  # It could not begin in time.
            elif is_injected(exc):
                self._ended_of_it(slot, process)
            elif not (self.cut_under_way and is_cut(exc)):
                self.crashes.append(f"{process.name} at {self.loop.true():.4f}: {exc!r}")
            raise

    def _raises(self, process: Process) -> bool:
        raises = self.plan.strikes("reaction-fault", process.name.split(".")[0], 0.004)
        if raises:
            self.raised_in.append(process)
            self.story.tell(process.name, "meets an exception in a reaction")
        return raises

    def _ended_of_it(self, slot: Slot, process: Process) -> None:
        """Have the supervisor restart a process that ended by an exception."""
        self.fell.append(process)
        self.story.danger("an exception in a reaction ended its part")

        def begin() -> None:
            if slot.process is process and not process.dead:
                if not process.running:  # Its machine is held, the supervisor included.
                    self.loop.outside(0.2, begin)
                    return
                self._kill(slot)
                self._begin(slot)

        if not process.stopping:
            self.loop.outside(0.2, begin)

    def _part(self, slot: Slot, process: Process) -> Service:
        log = LogPort(self.log, process)
        if slot in self.projectors:
            return Projector(log, slot.clock, VIEWS, slot.directory, None)
        if slot in self.apis:
            long = {"list_stale_s": LONG_LIST_STALE_S} if "long-lists" in self.plan.kinds else {}
            own = web.SETTINGS.model_copy(update=long)
            return CommandApi(log, slot.clock, own, slot.directory)
        shape, ids = self.plan.shape, _Ids(process.name)
        settings = DialerSettings(
            lease_s=shape.lease_s[slot.index],
            carrier_timeout_s=shape.carrier_timeout_s[slot.index],
            unplaced_max=UNPLACED.its_own,
            unplaced_away_max=UNPLACED.anybodys,
        )
        carrier = CarrierPort(
            self.carrier,
            process,
            lease_s=settings.lease_s,
            timeout_s=settings.carrier_timeout_s,
        )
        host = None
        if self.plan.dice(f"host of {slot.name}").random() < HOSTED:
            host = CommandApi(log, slot.clock, web.SETTINGS, slot.directory)
        dialer = FaultyDialer(
            log, slot.clock, settings, slot.directory, carrier, new_id=ids, host=host
        )
        dialer.beside = host
        dialer.raises = lambda: self._raises(process)
        dialer.decided = lambda request: self._decided(request, carrier)
        return dialer

    def _decided(self, request: CallRequested, carrier: CarrierPort) -> None:
        """Judge what is asked for; now and then another carrier answers before it is permitted."""
        carrier.known.claim(request)
        dice = self.plan.dice("exchange asked")
        if dice.random() < 0.03 and "exchange" in self.plan.kinds:
            self.loop.outside(dice.uniform(0.0, 0.005), self.carrier.exchange)

    @property
    def _shared(self) -> bool:
        return "assign" in self.plan.kinds and self.loop.true() < self.plan.until_s

    def _some_partitions(self) -> frozenset[int]:
        dice = self.plan.dice("assign")
        return frozenset(n for n in range(self.plan.shape.partitions) if dice.random() < 0.75)

    def _kill(self, slot: Slot) -> None:
        process = slot.process
        if process.dead:
            return
        self.story.tell(process.name, "is killed")
        self.story.danger("a process was killed")
        process.dead, process.died_at = True, self.loop.true()
        process.steps_left = None
        process.hold()
        self._buried.append(process)
        if not process.closed and process.opening is not None:
            let_go(process.opening)

    def _dies(self, process: Process) -> None:
        """Kill a process that has just handed something over, or was about to."""
        slot = next((slot for slot in self.slots if slot.process is process), None)
        if slot is not None and not process.dead:
            self._kill(slot)
            if not slot.busy:  # Otherwise the fault in progress restarts it.
                slot.busy = True
                self.loop.outside(self.plan.dice("die").uniform(0.2, 8.0), self._restart, slot)

    # -- faults that have their time -------------------------------------------------------------

    def _do(self, deed: Deed) -> None:
        if deed.kind == "log-stall":
            self.plan.struck[deed.kind] += 1
            self.story.tell("log", "stalls for {:.2f} s", deed.for_s)
            self.story.danger("the log stalled")
            self.log.stalled_until_s = max(self.log.stalled_until_s, self.loop.true() + deed.for_s)
            return
        if deed.kind == "assign":
            slot = self.dialers[deed.whom % len(self.dialers)]
            if isinstance(slot.process.part, Dialer) and slot.process.running:
                self.plan.struck[deed.kind] += 1
                some = self._some_partitions()
                self.story.tell(slot.process.name, "is assigned {}", sorted(some))
                slot.process.context.copy().run(slot.process.part.assigned, some)
            return
        slot = self.slots[deed.whom % len(self.slots)]
        if slot.busy or slot.process.dead:
            return
        slot.busy = True
        self.plan.struck[deed.kind] += 1
        if deed.kind == "stop":
            slot.process.steps_left = deed.steps
            slot.process.on_last_step = lambda: self._stop(slot.process)
            self.loop.outside(STOP_S + deed.for_s, self._restart, slot)
            return
        if deed.kind == "kill":
            slot.process.steps_left = deed.steps
            self.loop.outside(deed.for_s, self._restart, slot)
            return
        self.story.tell(slot.process.name, "is held ({}) for {:.2f} s", deed.kind, deed.for_s)
        self.story.danger(f"a process was held: {deed.kind}")
        slot.process.hold()
        if deed.kind == "stall":
            slot.clock.stand()
        elif deed.kind == "sleep":
            slot.clock.sleep()
        self.loop.outside(deed.for_s, self._go_on, slot)

    def _stop(self, process: Process) -> None:
        """Stop a process as SIGTERM does; `_restart` kills what has not stopped by then."""
        process.steps_left = None
        if process.part is not None and not process.dead:
            self.story.tell(process.name, "is asked to stop")
            self.story.danger("a process was asked to stop")
            process.stopping = True
            self.loop.spawn(process, self._stopping(process))

    async def _stopping(self, process: Process) -> None:
        part = process.part
        await part.drain()
        if process.requests:  # As a server does: it answers whom it can, and closes then.
            await asyncio.wait(process.requests, timeout=ANSWERS_S)
            for request in process.requests:
                request.cancel()
        if process.life is not None:
            process.life.cancel()
            await asyncio.wait([process.life])
        await part.close()
        process.closed = True

    def _go_on(self, slot: Slot) -> None:
        if not slot.busy:
            return
        slot.busy = False
        slot.clock.go_on()
        slot.clock.wake()
        if not slot.process.dead:
            self.story.tell(slot.process.name, "goes on")
            slot.process.release(self.loop)
        dice = self.plan.dice("set")
        if (after_s := dice.choice((0.0, 3.0)) * dice.random()) > 0:
            self.loop.outside(after_s, slot.clock.set)
        else:
            slot.clock.set()

    def _restart(self, slot: Slot) -> None:
        if not slot.busy:
            return
        slot.busy = False
        self._kill(slot)
        if self._is_gone(slot):
            return
        if slot.directory and self.plan.strikes("forget", "store", 0.4):
            self.story.tell(slot.name, "has lost its store")
            self.story.danger("restarted from nothing")
            shutil.rmtree(slot.directory, ignore_errors=True)
        elif slot.directory and any(slot.directory.iterdir()):
            self.story.danger("restarted from a checkpoint")
        self._begin(slot)

    def _is_gone(self, slot: Slot) -> bool:
        """Say whether a dead dialer never comes back: another one must finish what it began."""
        others = (one.process for one in self.dialers if one is not slot)
        if (
            slot not in self.dialers
            or not any(one.serving and not one.dead for one in others)
            or self.plan.dice("for good").random() >= GONE
        ):
            return False
        self.story.tell(slot.name, "never comes back")
        self.story.danger("a dialer died for good")
        self.dialers.remove(slot)
        return True

    def _make_fair(self) -> None:
        """End all faults: the system must now recover without help."""
        self.story.tell("world", "has no more faults")
        self.plan.until_s = min(self.plan.until_s, self.loop.true())
        self.log.stalled_until_s = 0.0
        for slot in self.slots:
            slot.clock.go_on()
            slot.clock.wake()
            slot.clock.set(max(-FAIR_AHEAD_MAX_S, min(FAIR_AHEAD_MAX_S, slot.clock.ahead_s)))
            slot.busy = False
            slot.process.steps_left = None
            if slot.process.dead or slot.process.stopping:
                self._kill(slot)
                if self._is_gone(slot):
                    continue
                self._begin(slot)
            else:
                slot.process.release(self.loop)
            if slot in self.dialers and isinstance(slot.process.part, Dialer):
                everything = frozenset(range(self.plan.shape.partitions))
                slot.process.context.copy().run(slot.process.part.assigned, everything)
        clock = self.carrier.clock
        clock.set(max(-FAIR_AHEAD_MAX_S, min(FAIR_AHEAD_MAX_S, clock.ahead_s)))

    # -- the end ---------------------------------------------------------------------------------

    def seen(self, campaign_id: int) -> Campaign | None:
        """Peek at a campaign as some living service sees it."""
        for slot in (*self.apis, *self.dialers):
            if slot.process.serving and slot.process.running:
                found: Campaign | None = slot.process.part.campaigns.get(campaign_id)
                if found is not None:
                    return found
        return None

    def all_done(self) -> bool:
        """Say whether every service sees every campaign at its end, with nothing open."""
        for slot in (*self.apis, *self.dialers):
            if not slot.process.serving:
                return False
            for campaign in slot.process.part.campaigns.by_id.values():
                if campaign.status not in FINAL or campaign.calls:
                    return False
        return True

    async def _compare(self) -> None:
        """Have every service fold the log to its end, so that the auditor can compare."""
        for slot in self.slots:
            process = slot.process
            if process.part is None:
                continue
            catching = self.loop.spawn(process, _caught_up(process.part))
            await asyncio.wait([catching], timeout=30.0)
            self.parts_at_the_end[process.name] = process.part

    def _unforeseen(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "never retrieved" in context["message"]:
            return  # Noted where it was raised.
        self.crashes.append(f"at {self.loop.true():.4f}: {context}")

    async def ask(self, exchange: Exchange, api: int, patience_s: float) -> Exchange:
        """Send a request to an instance, and wait for its answer as long as patience lasts."""
        self.exchanges.append(exchange)
        dice = self.plan.dice("net")
        exchange.sent_at_s = self.loop.true()
        await asyncio.sleep(dice.uniform(0.0002, 0.002))
        process = self.apis[api % len(self.apis)].process
        exchange.by = process.name
        if not process.serving:
            await asyncio.sleep(0.05)
            return exchange
        self.story.tell("client", "asks {} {} of {}", exchange.by, exchange.verb, exchange.id[:8])
        serving = self.loop.spawn(process, serve(process, exchange, self.loop))
        process.requests.append(serving)
        serving.add_done_callback(process.requests.remove)
        await asyncio.wait([serving], timeout=patience_s)
        exchange.heard = serving.done() and not serving.cancelled()  # Its server may have stopped.
        if exchange.heard and (bug := serving.exception()):
            self.crashes.append(f"{process.name} answered {exchange.verb} with {bug!r}")
        told = f"{exchange.status} {exchange.shape.get('detail', '')}" if exchange.heard else "-"
        self.story.tell("client", "is told {}: {} ({})", exchange.verb, told, exchange.id[:8])
        return exchange


class _Ids:
    """Ids that say whose they are, and are the same whenever the seed is."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name.replace("dialer", "d"), 0

    def __call__(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"


async def _caught_up(part: Service) -> None:
    await part.reader.catch_up(list(part.reader.positions), within_s=20.0)


def _fast() -> str | None:
    """Return a directory in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
