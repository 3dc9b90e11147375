"""`python -m tests.simulation.mutation_table`: which seeds caught which mutation."""

import multiprocessing
import sys
from collections.abc import Iterable, Iterator

from tests.simulation import (
    mutations,
    mutations_of_calls,
    mutations_of_gates,
    mutations_of_lists,
)
from tests.simulation.beyond_evidence import BEYOND
from tests.simulation.removal import MUTATIONS
from tests.simulation.verdicts import WORKERS, Verdict, hush, judge
from tests.support import pages

__all__ = [
    "MUTATIONS",
    "mutations",
    "mutations_of_calls",
    "mutations_of_gates",
    "mutations_of_lists",
]  # They put themselves into the catalogue.

MARK = "mutations"  # Where the page has the table.
SEEDS = range(200)
SHOWN = 3  # Seeds a mutation.
HEAD = "| without it | what that does | caught by seeds | as | by `verify` |"
SEEN = "yes"  # By `dialgate verify`, in one of these worlds.


def catchers(name: str, seeds: Iterable[int]) -> Iterator[Verdict]:
    """Yield the verdicts on the seeds that catch a mutation."""
    with MUTATIONS[name]():
        for seed in seeds:
            verdict = judge(seed, asks_why=False)  # Most mutations have nothing to do with it.
            if verdict.broken:
                yield verdict


def row(name: str) -> str:
    """Return a mutation's row of the table."""
    caught = [found for found, _ in zip(catchers(name, SEEDS), range(SHOWN), strict=False)]
    caught.sort(key=lambda verdict: not verdict.verified)  # What `verify` sees is tried first.
    seeds = ", ".join(str(verdict.seed) for verdict in caught) or "none"
    promise = caught[0].broken[0].split(":")[0] if caught else ""
    does = (MUTATIONS[name].__doc__ or "").strip()
    return f"| {name} | {does} | {seeds} | {promise} | {BEYOND.get(name, SEEN)} |"


def table() -> str:
    """Run every mutation, and return the table."""
    rows = [HEAD, "| --- | --- | --- | --- | --- |"]
    with multiprocessing.get_context("spawn").Pool(WORKERS, hush) as pool:
        for made in pool.imap(row, MUTATIONS):
            rows.append(made)
            print(made, file=sys.stderr, flush=True)
    return "\n".join(rows)


def known(name: str) -> list[int]:
    """Return the seeds that the page says catch a mutation: to be tried first."""
    for line in pages.HOW_WE_KNOW.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == name and len(cells) > 2:
            return [int(seed) for seed in cells[2].split(",") if seed.strip().isdigit()]
    return []


def main() -> None:
    """Write the table into the page."""
    hush()
    pages.put(pages.HOW_WE_KNOW, MARK, table())


if __name__ == "__main__":
    main()
