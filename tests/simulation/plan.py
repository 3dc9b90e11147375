"""The faults of one world, and their times: all drawn from the seed before it begins.

Each subject has dice of its own, so that cutting the plan short, or switching a kind of fault
off, changes nothing of what happens before.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

KINDS = (
    "log-ack-lost", "log-late", "log-never", "log-twice", "log-away", "log-stall", "log-lag",
    "kill", "stop", "freeze", "stall", "sleep", "clocks", "forget", "assign", "long-imports",
    "place-slow", "place-lost", "answer-lost", "answer-slow", "refuse", "silent",
    "look-lost", "look-lag", "report-lost", "redeliver",
    "impatient", "repeat",
)  # fmt: skip
# On dice of their own.
LATER_KINDS = (
    "reaction-fault", "undecidable", "poison", "unplaceable", "log-refused", "exchange",
    "terms", "clocks-apart", "die-sending", "die-telling",
    "long-lists",
)  # fmt: skip
ALL_KINDS = (*KINDS, *LATER_KINDS)
SCHEDULED = ("kill", "stop", "freeze", "stall", "sleep", "log-stall", "assign")


@dataclass(frozen=True)
class Deed:
    """One fault that has its time."""

    at_s: float
    kind: str
    whom: int  # Which process, as a number to be reduced by how many there are.
    for_s: float
    steps: int  # Steps that a process makes before it is killed.


@dataclass(frozen=True)
class Shape:
    """How large the world is, and on which terms."""

    apis: int
    dialers: int
    partitions: int
    campaigns: int
    contacts: tuple[int, ...]
    max_attempts: int
    concurrency: int
    calls_per_minute: int
    lease_s: tuple[float, ...]  # Of each dialer.
    carrier_timeout_s: tuple[float, ...]
    refuses_late: bool
    lookup_lag_s: float | None
    operators: int
    pausers: int  # Of each campaign: they do nothing but pause and resume.
    projectors: int


@dataclass
class Plan:
    """A world's faults. `until_s`: no fault begins later (less than drawn: the plan is cut)."""

    seed: int
    kinds: frozenset[str]
    until_s: float
    deeds: tuple[Deed, ...]
    shape: Shape
    now: Callable[[], float] = lambda: 0.0
    struck: Counter[str] = field(default_factory=Counter)  # How often each kind did.
    _dice: dict[str, Random] = field(default_factory=dict)

    def dice(self, subject: str) -> Random:
        """Return a subject's own dice."""
        if subject not in self._dice:
            self._dice[subject] = Random(f"{self.seed}/{subject}")
        return self._dice[subject]

    def marked(self, kind: str, whom: str, chance: float) -> bool:
        """Say whether a fault applies to one subject for the whole run."""
        drawn = Random(f"{self.seed}/{kind}/{whom}").random()
        return drawn < chance and kind in self.kinds

    def strikes(self, kind: str, subject: str, chance: float) -> bool:
        """Say whether a fault strikes now. A number is drawn either way."""
        drawn = self.dice(f"{subject}/{kind}").random()
        struck = drawn < chance and kind in self.kinds and self.now() < self.until_s
        self.struck[kind] += struck
        return struck


def draw(seed: int, *, until_s: float | None = None, without: frozenset[str] = frozenset()) -> Plan:
    """Draw a world's plan; `until_s` and `without` make a smaller one of the same."""
    dice = Random(f"{seed}/plan")
    kinds = frozenset(kind for kind in KINDS if dice.random() < 0.6)
    whole_s = dice.uniform(15.0, 45.0)
    deeds = []
    for _ in range(dice.randint(0, 14)):
        kind = dice.choice(SCHEDULED)
        for_s = dice.choice((dice.uniform(0.05, 1.0), dice.uniform(1.0, 12.0)))
        steps = dice.randint(1, 60)
        deeds.append(Deed(dice.uniform(0.1, whole_s), kind, dice.randrange(60), for_s, steps))
    shape = _shape(dice, pausers=Random(f"{seed}/pausers").choice((0, 0, 1, 2)))
    kinds |= {kind for kind in LATER_KINDS if Random(f"{seed}/{kind}").random() < 0.25}
    kinds -= without
    until_s = whole_s if until_s is None else min(until_s, whole_s)
    kept = tuple(deed for deed in sorted(deeds, key=lambda deed: deed.at_s) if deed.kind in kinds)
    return Plan(seed, kinds, until_s, kept, shape)


def _shape(dice: Random, *, pausers: int) -> Shape:
    dialers, campaigns = dice.choice((1, 2, 2, 2, 3)), dice.choice((1, 1, 2))
    refuses_late = dice.random() < 0.65
    return Shape(
        apis=dice.choice((1, 2, 2, 3)),
        dialers=dialers,
        partitions=dice.choice((1, 1, 2)),
        campaigns=campaigns,
        contacts=tuple(dice.randint(2, 24) for _ in range(campaigns)),
        max_attempts=dice.choice((1, 1, 2, 3)),
        concurrency=dice.choice((1, 3, 6, 12)),
        calls_per_minute=dice.choice((120, 600, 6000)),
        lease_s=tuple(dice.choice((0.6, 1.0, 2.0, 4.0)) for _ in range(dialers)),
        carrier_timeout_s=tuple(dice.choice((1.5, 3.0, 5.0)) for _ in range(dialers)),
        refuses_late=refuses_late,
        lookup_lag_s=dice.choice((0.0, 0.0, 0.5, 6.0, None)),
        operators=dice.choice((1, 1, 2, 3)),
        pausers=pausers,
        projectors=int(dice.random() < 0.12),  # It costs more than all the rest.
    )
