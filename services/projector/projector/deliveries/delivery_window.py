"""The events of one webhook that are under way. Pure."""

from dataclasses import dataclass, field


@dataclass
class DeliveryWindow:
    """Events that are being delivered: they end in any order, the cursor moves in theirs.

    At most so many as its owner lets in.
    """

    cursor: str  # Up to here, each was delivered or is not wanted.
    _ended: set[int] = field(default_factory=set)  # Delivered, but not behind the cursor yet.
    _after: dict[int, str] = field(default_factory=dict)  # The cursor after each.
    _next: int = 0

    def __len__(self) -> int:
        """Return how many are not behind the cursor yet."""
        return len(self._after)

    def take(self, cursor: str) -> int:
        """Let an event in; return its number. `cursor`: after it."""
        number, self._next = self._next, self._next + 1
        self._after[number] = cursor
        return number

    def passed(self, cursor: str) -> None:
        """Move over what is not wanted, together with the event before it: it takes no room."""
        last = self._next - 1
        if last in self._after:
            self._after[last] = cursor
        else:
            self.cursor = cursor

    def first(self, number: int) -> bool:
        """Say whether the cursor waits for this event."""
        return next(iter(self._after), None) == number

    def finish(self, number: int) -> bool:
        """Note that an event was delivered; say whether the cursor has moved."""
        self._ended.add(number)
        moved = False
        while self._after and (first := next(iter(self._after))) in self._ended:
            self._ended.remove(first)
            self.cursor, moved = self._after.pop(first), True
        return moved
