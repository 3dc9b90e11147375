"""The long proof with real processes: `python -m tests.soak --cycles 1000 --minutes 25`.

Campaigns call as fast as the machine can, on both logs; they are paused and resumed while processes
are killed, stopped, frozen and robbed of their stores, and brokers die. It ends by itself, once so
many cycles are done and every setting was played, or when the time is over. Judged by the carrier's
own record and by a fold of the log in a process that was not there. Tells its progress on stderr
and prints a summary on stdout. Exits with 1 if a promise was broken, or if too little was tried.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.soak.stage import CYCLES, SETTINGS, Setting, Stage, Tally
from tests.soak.summary import MARK, sentence, table, too_little
from tests.support import pages
from tests.support.broker import Broker, Source, choose, has_jars, has_java

ROUND_S = 75.0  # Of cycles; what it takes to end and to judge comes on top.
SHOWN_MAX = 20


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def play(setting: Setting, broker: Broker | None, seed: int, until: float) -> Tally:
    """Play one round; the folder of one that went wrong stays behind."""
    folder = Path(tempfile.mkdtemp(prefix="dialgate-soak-"))
    stage = Stage(setting, folder, broker, random.Random(seed))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            stage.play(until)
    except Exception as exc:  # Whatever it is: the round's end is a finding, not the soak's.
        stage.tally.violations.append(f"{type(exc).__name__}: {exc}")
    if stage.tally.violations:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return stage.tally


def add(total: Tally, one: Tally) -> None:
    """Add a round to its setting."""
    total.counts.update(one.counts)  # `+=` would forget what is zero, and the zeros are the point.
    total.violations += one.violations
    total.slowest_pause_s = max(total.slowest_pause_s, one.slowest_pause_s)


def rounds(
    settings: Sequence[Setting], broker: Broker | None, asked: argparse.Namespace
) -> Mapping[str, Tally]:
    """Play the settings in turn until enough was seen, or the time is over."""
    ends_at = time.monotonic() + asked.minutes * 60
    tallies = {one.name: Tally() for one in settings}
    number = cycles = 0
    while time.monotonic() < ends_at:
        if asked.cycles and cycles >= asked.cycles and number >= len(settings):
            break
        setting = settings[number % len(settings)]
        seed = asked.seed * 1_000 + number
        one = play(setting, broker, seed, min(time.monotonic() + ROUND_S, ends_at))
        add(tallies[setting.name], one)
        number += 1
        cycles = sum(tally.counts[CYCLES] for tally in tallies.values())
        left = max(0.0, ends_at - time.monotonic()) / 60
        say(f"round {number}, {setting.name}, seed {seed}: {dict(one.counts)}")
        for text in one.violations[:SHOWN_MAX]:
            say(f"VIOLATION: {text}")
        say(f"{cycles} cycles so far, {left:.1f} minutes left")
    return tallies


def main() -> int:
    """Play, and sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=25.0, help="at most")
    parser.add_argument("--cycles", type=int, default=0, help="end earlier, after so many")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    parser.add_argument("--write", action="store_true", help="put the summary into the pages")
    asked = parser.parse_args()
    there = choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.JARS
    settings = [one for one in SETTINGS if asked.only in one.name and (there or not one.on_kafka)]
    if not there:
        say("NO KAFKA: needs Java and Maven; only the embedded log is put to the test")
    broker = Broker().start() if any(one.on_kafka for one in settings) else None
    began = time.monotonic()
    try:
        tallies = rounds(settings, broker, asked)
    finally:
        if broker is not None:
            broker.stop()
    minutes = (time.monotonic() - began) / 60
    print(table(tallies, minutes))
    lacking = too_little(tallies, asked.cycles, whole=not asked.only and there)
    for what in lacking:
        print(f"TOO LITTLE: {what}")
    if asked.write:
        pages.put(pages.HOW_WE_KNOW, MARK, table(tallies, minutes))
        pages.put(pages.README, MARK, sentence(tallies, minutes))
    return int(bool(lacking) or any(tally.violations for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
