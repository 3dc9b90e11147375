"""Run every benchmark, one after the other, and write the table into docs/measurements.md.

`python -m bench` runs all of them; `python -m bench pause strict` only these, and writes nothing.
`failover` runs only by name (`make bench BENCH=failover`): it kills and freezes brokers for
minutes, and measures the brokers' settings more than the machine.
Each runs in a process of its own, whose printed rows are copied.
"""

import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.table import HEAD, machine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measurements.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
QUESTIONS = (
    "pause",
    "up",
    "active",
    "processes",
    "strict",
    "sizes",
    "fold",
    "evidence",
    "projector",
    "dialer",
    "encryption",
    "restart",
    "past",
    "door",
    "feed",
    "webhooks",
    "pages",
)


def table(questions: tuple[str, ...]) -> list[str]:
    """Run them; return the rows of their tables."""
    rows: list[str] = []
    for question in questions:
        print(f"-- bench.{question}", file=sys.stderr)
        began = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-m", f"bench.{question}"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(f"-- {time.monotonic() - began:.0f} s", file=sys.stderr)
        found = [line for line in ran.stdout.splitlines() if line.startswith("| ")]
        rows += [line for line in found if line not in HEAD.splitlines()]
    return rows


def main() -> None:
    """Run the named benchmarks; without arguments all, which alone writes the table."""
    asked = tuple(sys.argv[1:])
    text = "\n".join([HEAD, *table(asked or QUESTIONS)])
    today = datetime.now(UTC).date()
    written = f"{BEGIN}\n{machine()}; {today}.\n\n{text}\n{END}"
    print(written)
    if not asked:
        page = PAGE.read_text()
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: written, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
