"""What every verb says goes through here, so that nothing in it steers a terminal."""

import sys

from campaigns.process.printable_text import clean


def say(text: object) -> None:
    """Print a line, at once."""
    print(clean(text), flush=True)


def complain(text: object) -> None:
    """Print a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)
