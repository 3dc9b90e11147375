"""Progress on stderr, for verbs that read a whole log; nothing where stderr is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(
    what: str, total: int, *, among_lines: bool = False
) -> Iterator[Callable[[int], None]]:
    """Yield what is called with how many more of `total` records are done.

    `among_lines`: lines are printed meanwhile, so nothing is shown if those go to a terminal too.
    """
    if not sys.stderr.isatty() or (among_lines and sys.stdout.isatty()):
        yield lambda _: None  # Nothing is loaded either.
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        task = shown.add_task(what, total=total)
        yield lambda more: shown.update(task, advance=more)
