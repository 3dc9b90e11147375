"""A world's log is copied under way, and a dialer is started on the copy, with the same carrier.

It must ring nobody: the auditor finds each ring for which the world's own log has no permission.
"""

from random import Random
from typing import TYPE_CHECKING

from campaigns.log.port import MemoryLog
from campaigns.records.home import LogPlace
from campaigns.records.installation import Installation
from campaigns.records.topics import INSTALLATION
from dialer.service import Dialer
from dialer.settings import DialerSettings
from tests.simulation.clocks import SimClock
from tests.simulation.faulty_carrier import CarrierPort
from tests.simulation.faulty_log import LogPort, SimLog
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

COPIED = 0.3  # Of the worlds.
LEASE_S, TIMEOUT_S = 2.0, 5.0


class Copies:
    """The copy of one world's log, if there is one. Drawn by dice of its own."""

    def __init__(self, world: "World") -> None:
        self._world, dice = world, Random(f"{world.seed}/copies")
        self.process: Process | None = None
        if dice.random() < COPIED:
            world.loop.outside(dice.uniform(2.0, max(3.0, world.plan.until_s)), self._begin)

    def _begin(self) -> None:
        world, core = self._world, self._world.log.core
        installation = Installation()
        for recorded in core._records[INSTALLATION]:
            installation.take(recorded)
        if installation.home is None:
            return  # Below its level a copy dials: ADR-0040.
        copy = MemoryLog(world.plan.shape.partitions)
        for partition, records in core._records.items():
            copy._records[partition] = list(records)
        copy.place = LogPlace({"log": "a copy"}, "a copy")
        self.process = process = Process("copy", SimClock(world.loop.true))
        log = SimLog(world.loop, world.plan, world.story, copy, lambda process: None)
        world.story.tell("copy", "begins")
        world.story.danger("the log was copied, and a dialer was started on the copy")
        process.life = world.loop.spawn(process, self._life(LogPort(log, process), process))

    async def _life(self, log: LogPort, process: Process) -> None:
        world = self._world
        settings = DialerSettings(lease_s=LEASE_S, carrier_timeout_s=TIMEOUT_S)
        carrier = CarrierPort(world.carrier, process, lease_s=LEASE_S, timeout_s=TIMEOUT_S)
        dialer = Dialer(log, process.clock, settings, None, carrier)
        await dialer.open()
        process.part = dialer
        if dialer.reader.home.read_only is not None:
            world.story.danger("a copy of the log said that it is one")
        await dialer.run()
