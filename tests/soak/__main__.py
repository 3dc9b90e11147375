"""The long proof with real processes: `python -m tests.soak --minutes 20 [--seed 1]`.

Campaigns call as fast as the machine can, on both logs; they are paused and resumed hundreds of
times while processes are killed, stopped, frozen and robbed of their stores, and brokers die.
Judged by the carrier's own record and by a fold of the log in a process that was not there. Prints
its progress on stderr and one table, in Markdown, on stdout. Exits with 1 if a promise was broken.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.broker import Broker, Source, choose, has_jars, has_java
from tests.soak.stage import SETTINGS, Setting, Stage, Tally

ROUND_S = 75.0  # Of cycles; what it takes to end and to judge comes on top.
SHOWN_MAX = 20


def say(text: str) -> None:
    """Say something to whoever watches."""
    print(text, file=sys.stderr, flush=True)


def play(setting: Setting, broker: Broker | None, seed: int, until: float) -> Tally:
    """Play one round; the folder of one that went wrong stays behind."""
    folder = Path(tempfile.mkdtemp(prefix="dialgate-soak-"))
    stage = Stage(setting, folder, broker, random.Random(seed))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            stage.play(until)
    except Exception as no:  # Whatever it is: the round's end is a finding, not the soak's.
        stage.tally.violations.append(f"{type(no).__name__}: {no}")
    if stage.tally.violations:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return stage.tally


def table(tallies: Mapping[str, Tally]) -> str:
    """Return the summary: a row a kind, a column a setting."""
    columns = [*tallies, "all"]
    kinds = sorted(
        {kind for tally in tallies.values() for kind in tally.counts},
        key=lambda kind: (
            not kind.startswith("pause"),
            kind.startswith(("kill", "freeze", "stop")),
            kind,
        ),
    )
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for kind in kinds:
        each = [tally.counts[kind] for tally in tallies.values()]
        lines.append(f"| {kind} | {' | '.join(f'{n:,}' for n in [*each, sum(each)])} |")
    slowest = [tally.slowest_pause_s for tally in tallies.values()]
    shown = " | ".join(f"{s:.1f}" for s in [*slowest, max(slowest)])
    lines.append(f"| slowest pause, its faults included, s | {shown} |")
    broken = [len(tally.violations) for tally in tallies.values()]
    lines.append(f"| **violations** | {' | '.join(f'**{n}**' for n in [*broken, sum(broken)])} |")
    return "\n".join(lines)


def add(total: Tally, one: Tally) -> None:
    """Add a round to its setting."""
    total.counts += one.counts
    total.violations += one.violations
    total.slowest_pause_s = max(total.slowest_pause_s, one.slowest_pause_s)


def main() -> int:
    """Play rounds in all settings until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    asked = parser.parse_args()
    ends_at = time.monotonic() + asked.minutes * 60
    there = choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.JARS
    settings = [one for one in SETTINGS if asked.only in one.name and (there or not one.on_kafka)]
    if not there:
        say("NO KAFKA: needs Java and Maven; only the embedded log is put to the test")
    broker = Broker().start() if any(one.on_kafka for one in settings) else None
    tallies = {one.name: Tally() for one in settings}
    number = 0
    try:
        while time.monotonic() < ends_at:
            setting = settings[number % len(settings)]
            seed = asked.seed * 1_000 + number
            one = play(setting, broker, seed, min(time.monotonic() + ROUND_S, ends_at))
            add(tallies[setting.name], one)
            number += 1
            cycles = sum(tally.counts["pause/resume cycles"] for tally in tallies.values())
            left = max(0.0, ends_at - time.monotonic()) / 60
            say(f"round {number}, {setting.name}, seed {seed}: {dict(one.counts)}")
            for text in one.violations[:SHOWN_MAX]:
                say(f"VIOLATION: {text}")
            say(f"{cycles} cycles so far, {left:.1f} minutes left")
    finally:
        if broker is not None:
            broker.stop()
    print(table(tallies))
    return int(any(tally.violations for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
