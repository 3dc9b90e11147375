"""What a soak has found, as people read it: a table, a sentence, and whether enough was tried."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from tests.soak.stage import CYCLES, LATE, LOST, TWICE, Tally

MARK = "soak: processes"  # Where the pages have it.
STRIKES = ("kill ", "freeze ", "stop ")
PROMISES = (LATE, TWICE, LOST)  # How often each was broken.

# What has to be among what was done, or the promises were never tried.
FAMILIES: Mapping[str, tuple[str, ...]] = {  # Each is told by how its kinds' names end.
    "a service killed": ("kill command-api", "kill dialer", "kill projector", "kill up"),
    "all killed": ("kill everything",),
    "a store lost": ("and lose its store",),
    "a short freeze": ("within a lease",),
    "a long freeze": ("past a lease",),
    "a missed session": ("past its session",),
    "the broker killed": ("kill broker",),
    "the broker frozen": ("freeze broker",),
}


def _total(tallies: Mapping[str, Tally]) -> Counter[str]:
    total: Counter[str] = Counter()
    for tally in tallies.values():
        total.update(tally.counts)
    return total


def _when(minutes: float) -> str:
    return f"{minutes:.0f} minutes on {datetime.now(UTC).date()}"


def table(tallies: Mapping[str, Tally], minutes: float) -> str:
    """Return the summary in Markdown: a row a kind, a column a setting."""
    columns = [*tallies, "all"]
    kinds = sorted(
        _total(tallies),
        key=lambda kind: (not kind.startswith("pause"), kind in PROMISES, kind.startswith(STRIKES),
                          kind),
    )  # fmt: skip
    lines = [f"{_when(minutes)}:\n", f"| | {' | '.join(columns)} |"]
    lines.append(f"| --- |{' ---: |' * len(columns)}")
    for kind in kinds:
        each = [tally.counts[kind] for tally in tallies.values()]
        shown = f"**{kind}**" if kind in PROMISES else kind
        lines.append(f"| {shown} | {' | '.join(f'{n:,}' for n in [*each, sum(each)])} |")
    slowest = [tally.slowest_pause_s for tally in tallies.values()]
    seconds = " | ".join(f"{s:.1f}" for s in [*slowest, max(slowest)])
    lines.append(f"| slowest pause, its faults included, s | {seconds} |")
    broken = [len(tally.violations) for tally in tallies.values()]
    lines.append(f"| **violations** | {' | '.join(f'**{n}**' for n in [*broken, sum(broken)])} |")
    return "\n".join(lines)


def sentence(tallies: Mapping[str, Tally], minutes: float) -> str:
    """Return the summary in the form of the README."""
    total = _total(tallies)
    struck = {kind: n for kind, n in total.items() if kind.startswith(STRIKES)}
    kills = sum(
        n for kind, n in struck.items() if kind.startswith("kill ") and "broker" not in kind
    )
    freezes = sum(
        n for kind, n in struck.items() if kind.startswith("freeze ") and "broker" not in kind
    )
    brokers = sum(n for kind, n in struck.items() if "broker" in kind)
    broken = sum(len(tally.violations) for tally in tallies.values())
    return (
        f"Real processes, {_when(minutes)}: {total[CYCLES]:,} pause/resume cycles and"
        f" {total['rings']:,} calls, under {kills} kills, {freezes} freezes and {brokers} faults"
        f" of the broker: {total[LATE]} late rings, {total[LOST]} lost contacts,"
        f" {total[TWICE]} double rings, {broken} violations in all."
    )


def too_little(tallies: Mapping[str, Tally], cycles: int, *, whole: bool) -> list[str]:
    """Return what was not tried (often enough). `whole`: in all settings, Kafka's too."""
    total = _total(tallies)
    lacking = []
    if total[CYCLES] < cycles:
        lacking.append(f"expected {cycles:,} cycles, found {total[CYCLES]:,}")
    for family, ends in FAMILIES.items():
        tried = sum(n for kind, n in total.items() if kind.endswith(ends))
        if whole and not tried:
            lacking.append(f"never: {family}")
    return lacking
