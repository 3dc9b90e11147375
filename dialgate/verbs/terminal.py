"""Prints for all verbs, without control characters that a terminal would obey."""

import sys
from io import StringIO

from rich.console import Console
from rich.table import Table

from campaigns.process.printable_text import clean


def say(text: object) -> None:
    """Print a line to stdout, unbuffered."""
    print(clean(text), flush=True)


def complain(text: object) -> None:
    """Print a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def say_table(table: Table) -> None:
    """Print a table to stdout, as wide as the terminal."""
    drawn = Console(file=StringIO(), width=Console().width)
    drawn.print(table)
    assert isinstance(drawn.file, StringIO), "as it was made"
    for line in drawn.file.getvalue().splitlines():
        say(line.rstrip())
