"""A story that is short enough to be looked at, however many calls it has. Pure."""

from dataclasses import dataclass, field

from campaigns.audit.stories.story import Item

CALL_LINES_MAX = 400  # Lines of calls; beyond it neighbours are summed up. Facts keep their lines.


@dataclass(slots=True)
class Abridgement:
    """Keeps the items of a story. Its size grows with the facts other than calls alone."""

    items: list[Item] = field(default_factory=list)
    call_lines_max: int = CALL_LINES_MAX
    _call_lines: int = 0
    _limit: int = 0

    def __post_init__(self) -> None:
        self._limit = self.call_lines_max

    def add(self, item: Item) -> None:
        """Add the story's next item."""
        self.items.append(item)
        self._call_lines += item.calls is not None
        if self._call_lines > self._limit:
            self._sum_up()

    def _sum_up(self) -> None:
        """Make one line of each two lines of calls that follow one another."""
        kept, pair = list[Item](), None  # `pair`: the line that the next may be added to.
        for item in self.items:
            if pair is not None and item.calls is not None:
                _join(pair, item)
                pair = None
                continue
            kept.append(item)
            pair = item if item.calls is not None else None
        self.items = kept
        self._call_lines = sum(item.calls is not None for item in kept)
        # Lines that facts keep apart cannot be joined: do not try again at each of them.
        apart = self._call_lines > 0.75 * self.call_lines_max
        self._limit = 2 * self._call_lines if apart else self.call_lines_max


def _join(earlier: Item, later: Item) -> None:
    assert earlier.calls is not None, "lines of calls are joined"
    assert later.calls is not None, "lines of calls are joined"
    earlier.calls.add(later.calls)
    earlier.until, earlier.position = later.until, later.position
    earlier.text = earlier.calls.text()
