"""The faults of a soak: kills, stops, freezes, lost stores, a broker that dies. It judges nothing.

A strike is one fault: how it is counted, how it begins, how long it lasts, how it ends. All of it
is drawn from one seeded source.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campaigns.stores.checkpoint import remove
from tests.support.broker import Broker
from tests.support.system import KNOBS, Process, System

LEASE_S, CARRIER_TIMEOUT_S = float(str(KNOBS["lease_s"])), float(str(KNOBS["carrier_timeout_s"]))
BOUND_S = LEASE_S + CARRIER_TIMEOUT_S
GONE_S = (0.0, 0.5)  # How long a killed process stays away.
SHORT_S = (0.02, LEASE_S)
LONG_S = (LEASE_S, 2 * BOUND_S)
BROKER_S = (0.1, 3 * BOUND_S)
SESSION_S = 6.0  # Of the dialers' group: the least that it allows.
MISSED_S = (SESSION_S + 1, SESSION_S + 3)
HEARTS = ("command-api", "dialer")  # Struck twice as often as the others.


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault."""

    kind: str
    begin: Callable[[], object]
    lasts_s: float
    end: Callable[[], object]


def draw(system: System, broker: Broker | None, dice: random.Random) -> Strike:
    """Draw one fault: half of them freezes, a tenth on the broker where there is one."""
    if broker is not None and dice.random() < 0.1:
        return _on_the_broker(broker, dice)
    names = list(system.processes)
    names += [name for name in names if name.startswith(HEARTS)]
    name = dice.choice(names)
    process = system[name]
    part = name.partition("-2")[0]
    match dice.choice(("kill", "kill", "everything", "stop", "lose", *["short", "long"] * 3)):
        case "kill":
            return _down(f"kill {part}", [process], process.kill9, dice)
        case "everything":
            return _down("kill everything", list(system), system.kill9, dice)
        case "stop":
            return _down(f"stop {part}", [process], process.stop, dice)
        case "lose" if part != "carrier":  # The carrier's file is its memory of the world.
            return _down(f"kill {part} and lose its store", [process], _loser(process), dice)
        case "long" if len(system.processes) > 4 and part == "dialer" and dice.random() < 0.8:
            lasts_s = dice.uniform(*MISSED_S)
            return Strike("freeze dialer past its session", process.freeze, lasts_s, process.thaw)
        case "short":
            lasts_s = dice.uniform(*SHORT_S)
            return Strike(f"freeze {part} within a lease", process.freeze, lasts_s, process.thaw)
        case _:
            lasts_s = dice.uniform(*LONG_S)
            return Strike(f"freeze {part} past a lease", process.freeze, lasts_s, process.thaw)


def _on_the_broker(broker: Broker, dice: random.Random) -> Strike:
    if dice.random() < 0.5:
        return Strike("freeze broker", broker.freeze, dice.uniform(*BROKER_S), broker.thaw)
    return Strike("kill broker", broker.kill, dice.uniform(*GONE_S), broker.start)


def _down(
    kind: str, processes: Sequence[Process], begin: Callable[[], object], dice: random.Random
) -> Strike:
    def end() -> None:
        for process in processes:
            process.spawn()
        for process in processes:
            process.wait_served()

    return Strike(kind, begin, dice.uniform(*GONE_S), end)


def _loser(process: Process) -> Callable[[], None]:
    def lose() -> None:
        process.kill9()
        stores = ("command-api", "dialer", "projector") if process.verb == "up" else [process.verb]
        for store in stores:
            remove(process.data_dir / f"{store}.db")

    return lose
