"""`make simulate SEED=7` tells one seed's story; `make soak` runs thousands, and sums them up."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from tests.simulation.dangers import missing
from tests.simulation.history import CYCLES
from tests.simulation.verdicts import hush, judge, judge_all, told
from tests.support import pages

TELL_EVERY = 500  # Seeds.
SHRUNK_MAX = 3  # Failing seeds that are made as small as they get: each takes a minute.
MARK = "soak: worlds"  # Where the pages have it.
SHOWN = (  # Of what is counted: how it is called here, and its row.
    (CYCLES, "pause/resume cycles"),
    ("a pause was answered 200", "pauses answered 200"),
    ("a pause found permissions open", "permissions that a pause found open"),
    ("resumed while a pause settled", "pauses that a client ended while they settled"),
    ("refused: call-requested.v1 because campaign had moved on", "permissions refused by a pause"),
    ("rings", "rings"),
    ("a ring was refused as late", "rings refused as late by the carrier"),
    (
        "a ring after a pause, excused",
        "rings after a pause, by carriers that cannot refuse (once a pause before them)",
    ),
    ("recorded as late", "rings of theirs that stand as `CallLate`"),
)


@dataclass
class Tally:
    """What came of many worlds."""

    seeds: int = 0
    failed: int = 0
    true_s: float = 0.0  # How long they lived, all together.
    took_s: float = 0.0
    dangers: Counter[str] = field(default_factory=Counter)

    def rows(self) -> list[tuple[str, int]]:
        """Return what is shown of it, the violations last."""
        faults = sum(n for name, n in self.dangers.items() if name.startswith("fault: "))
        counted = [(row, self.dangers[name]) for name, row in SHOWN]
        return [
            ("worlds", self.seeds), ("hours of their own", round(self.true_s / 3600)),
            *counted, ("faults", faults), ("**worlds with a violation**", self.failed),
        ]  # fmt: skip

    def markdown(self, first: int) -> str:
        """Return the summary in the form of docs/how-we-know.md."""
        rows = [f"| {name} | {n:,} |" for name, n in self.rows()]
        head = f"{self._when(first)}:\n\n| | |\n| --- | ---: |"
        return "\n".join([head, *rows])

    def sentence(self, first: int) -> str:
        """Return the summary in the form of the README."""
        return (
            f"Simulated, {self._when(first)}: {self.dangers[CYCLES]:,} pause/resume cycles in"
            f" {self.seeds:,} worlds, {self.failed} of them with a violation."
        )

    def _when(self, first: int) -> str:
        seeds = f"seeds {first:,} to {first + self.seeds - 1:,}"
        return f"{seeds}, {self.took_s / 60:.0f} minutes on {datetime.now(UTC).date()}"


def soak(seeds: Iterable[int], workers: int) -> Tally:
    """Run and judge many; say on stderr how it goes, and on stdout what failed."""
    began, tally = time.monotonic(), Tally()
    for verdict in judge_all(seeds, workers):
        tally.seeds += 1
        tally.true_s += verdict.true_s
        tally.took_s = time.monotonic() - began
        tally.dangers.update(verdict.dangers)
        if verdict.broken:
            tally.failed += 1
            small = tally.failed <= SHRUNK_MAX
            print(told(verdict) if small else f"seed {verdict.seed} fails", flush=True)
        if tally.seeds % TELL_EVERY == 0:
            rate = tally.seeds / tally.took_s
            print(
                f"{tally.seeds:,} worlds, {tally.dangers[CYCLES]:,} cycles, {tally.failed} failed,"
                f" {rate:.1f} a second",
                file=sys.stderr,
                flush=True,
            )
    return tally


def sum_up(tally: Tally, first: int, write: bool) -> bool:
    """Print what was found, and write it into the pages if asked. Says whether all is well."""
    for name, times in sorted(tally.dangers.items()):
        print(f"{times:12,d}  {name}")
    never = missing(tally.dangers)
    for danger in never:
        print(f"VACUOUS: it never arose: {danger}")
    print(f"\n{tally.markdown(first)}")
    if write:
        pages.put(pages.HOW_WE_KNOW, MARK, tally.markdown(first))
        pages.put(pages.README, MARK, tally.sentence(first))
    return not (tally.failed or never)


def _until(first: int, until: float) -> Iterator[int]:
    for seed in count(first):
        if time.monotonic() > until:
            return
        yield seed


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the only one, or the first one")
    parser.add_argument("--until-s", type=float, default=None, help="no fault begins later")
    parser.add_argument("--without", default="", help="kinds of fault to leave out, with commas")
    parser.add_argument("--seeds", type=int, default=0, help="run so many, one after the other")
    parser.add_argument("--soak-s", type=float, default=0.0, help="… or for so long")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="put the summary into the pages")
    given = parser.parse_args()
    hush()
    if given.seeds or given.soak_s:
        first = given.seed
        seeds = (
            range(first, first + given.seeds)
            if given.seeds
            else _until(first, time.monotonic() + given.soak_s)
        )
        return 0 if sum_up(soak(seeds, given.workers), first, given.write) else 1
    without = frozenset(filter(None, given.without.split(",")))
    verdict = judge(given.seed, until_s=given.until_s, without=without, story=True)
    print(verdict.story)
    for name, times in sorted(verdict.dangers.items()):
        print(f"{times:10d}  {name}")
    print("\n".join(verdict.broken) or f"seed {given.seed}: every promise was kept")
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
