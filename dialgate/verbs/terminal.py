"""Prints for all verbs, without control characters that a terminal would obey."""

import sys

from campaigns.process.printable_text import clean


def say(text: object) -> None:
    """Print a line to stdout, unbuffered."""
    print(clean(text), flush=True)


def complain(text: object) -> None:
    """Print a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)
