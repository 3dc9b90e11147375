"""`make simulate SEED=7` tells one seed's story; `make soak` runs thousands, for a while."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

from tests.simulation.judging import hush, judge, judge_all, told


def _seeds(first: int, until: float) -> Iterator[int]:
    for seed in count(first):
        if time.monotonic() > until:
            return
        yield seed


def soak(first: int, seconds: float, workers: int) -> int:
    """Run seeds for a while; say what was found. Returns how many failed."""
    began, seeds, failed = time.monotonic(), 0, 0
    dangers: Counter[str] = Counter()
    for verdict in judge_all(_seeds(first, began + seconds), workers):
        seeds += 1
        dangers.update(verdict.dangers)
        if verdict.broken:
            failed += 1
            print(told(verdict) if failed <= 3 else f"seed {verdict.seed} fails", flush=True)
    lasted_s = time.monotonic() - began
    for name, times in sorted(dangers.items()):
        print(f"{times:10d}  {name}")
    print(f"{seeds} seeds in {lasted_s:.0f} s ({seeds / lasted_s:.1f} a second), {failed} failed")
    return failed


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until-s", type=float, default=None, help="no fault begins later")
    parser.add_argument("--without", default="", help="kinds of fault to leave out, with commas")
    parser.add_argument("--soak-s", type=float, default=0.0, help="run seeds for so long instead")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    hush()
    if given.soak_s:
        return 1 if soak(given.seed, given.soak_s, given.workers) else 0
    without = frozenset(filter(None, given.without.split(",")))
    verdict = judge(given.seed, until_s=given.until_s, without=without, story=True)
    print(verdict.story)
    for name, times in sorted(verdict.dangers.items()):
        print(f"{times:10d}  {name}")
    print("\n".join(verdict.broken) or f"seed {given.seed}: every promise was kept")
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
