"""Many worlds: run, judged, counted; and a failing one made as small as it gets."""

import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import structlog

from campaigns.audit.judge.violations import Violation
from tests.simulation.answers import judge_answers
from tests.simulation.auditor import Audit
from tests.simulation.lists import judge_lists
from tests.simulation.people import judge_people
from tests.simulation.plan import ALL_KINDS, draw
from tests.simulation.stores import judge_stores
from tests.simulation.world import World

WORKERS = 2
AT_ONCE = 100  # Seeds that are handed out: the last ones of them keep a worker waiting.
_SHORTER_S = 0.5  # How exactly the shortest prefix is found.


@dataclass(frozen=True)
class Verdict:
    """What came of one seed."""

    seed: int
    broken: tuple[str, ...]
    verified: tuple[Violation, ...]  # What `dialgate verify` finds, by log and rings alone.
    dangers: Counter[str]
    true_s: float  # How long it lived.
    story: str = ""


def judge(
    seed: int,
    *,
    until_s: float | None = None,
    without: frozenset[str] = frozenset(),
    story: bool = False,
    asks_why: bool = True,
) -> Verdict:
    """Run one world and judge it."""
    world = World(seed, until_s, without, asks_why).run()
    found = Audit(world).run()
    judge_answers(found)
    judge_lists(found)
    judge_people(found)
    judge_stores(found)
    text = world.story.text() if story else ""
    return Verdict(
        seed, tuple(found.broken), tuple(found.verified), found.dangers, world.ended_at_s, text
    )


def hush() -> None:
    """Have nothing logged in this process: what we do to a world is no news."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def judge_all(seeds: Iterable[int], workers: int = WORKERS) -> Iterator[Verdict]:
    """Run and judge many, in processes of their own; yield as they come, a bounded number ahead."""
    left = iter(seeds)
    with multiprocessing.get_context("spawn").Pool(workers, hush) as pool:
        while some := list(islice(left, AT_ONCE)):
            yield from pool.imap_unordered(judge, some, chunksize=2)


def shrink(seed: int, *, looks_max: int = 60) -> tuple[float, frozenset[str]]:
    """Return the shortest prefix, and the kinds of fault it can do without, that still fails."""
    whole, without = draw(seed), frozenset[str]()
    looks = islice(iter(int, 1), looks_max)
    for kind in ALL_KINDS:
        if kind in whole.kinds and next(looks, None) is not None:
            fewer = without | {kind}
            if judge(seed, without=fewer).broken:
                without = fewer
    fails_s, passes_s = whole.until_s, 0.0
    while fails_s - passes_s > _SHORTER_S and next(looks, None) is not None:
        middle_s = (fails_s + passes_s) / 2
        if judge(seed, until_s=middle_s, without=without).broken:
            fails_s = middle_s
        else:
            passes_s = middle_s
    return fails_s, without


def told(verdict: Verdict) -> str:
    """Say what is wrong with a seed, and how to see it."""
    until_s, without = shrink(verdict.seed)
    again = f"make simulate SEED={verdict.seed} UNTIL_S={until_s:.3f}"
    if without:
        again += f" WITHOUT={','.join(sorted(without))}"
    return "\n  ".join([f"seed {verdict.seed}; see it with: {again}", *verdict.broken[:8]])
