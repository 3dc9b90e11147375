"""Prints for all verbs, without control characters that a terminal would obey."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING

from campaigns.process.printable_text import clean, one_line

if TYPE_CHECKING:  # Loaded where it is used: nearly no line needs it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Parts = Sequence[tuple[str, str]]  # Texts, each with its style.
_INDENT = 4


def say(text: object) -> None:
    """Print a line to stdout, unbuffered."""
    print(clean(text), flush=True)


def complain(text: object) -> None:
    """Print a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def say_table(table: "Table") -> None:
    """Print a table to stdout, as wide as the terminal."""
    from rich.console import Console

    drawn = Console(file=StringIO(), width=Console().width)
    drawn.print(table)
    assert isinstance(drawn.file, StringIO), "as it was made"
    for line in drawn.file.getvalue().splitlines():
        say(line.rstrip())


def say_all(lines: Iterable[str]) -> None:
    """Print lines to stdout, at once; nothing if there are none."""
    if text := "\n".join(lines):
        print(clean(text), flush=True)


def say_json(lines: Sequence[bytes]) -> None:
    """Print lines of JSON to stdout, at once; nothing if there are none."""
    if not lines:
        return
    text = b"\n".join(lines)
    if text.isascii() and b"\x7f" not in text:  # JSON escapes all other control characters.
        print(text.decode("ascii"), flush=True)
        return
    print(clean(text.decode()), flush=True)


def say_paragraph(head: Parts, *body: Parts) -> None:
    """Print to a terminal: a line, and those that belong to it indented, wrapped at its width.

    Each part is a text with a style of Rich; nothing in a text is taken for a style.
    """
    from rich.padding import Padding

    console = _console()
    console.print(_styled(head))
    for parts in body:
        console.print(Padding(_styled(parts), (0, 0, 0, _INDENT)))


def _styled(parts: Parts) -> "Text":
    from rich.text import Text

    return Text.assemble(*((one_line(text), style) for text, style in parts))


@cache
def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)
