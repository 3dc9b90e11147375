"""How many permissions may wait for their ruling at once. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Window:
    """How many permissions may wait for their ruling at once; fewer when rulings come too late."""

    max: int
    size: float

    def too_late(self) -> None:
        """Halve the window: a permission was not read back within its lease."""
        self.size = max(1.0, self.size / 2)

    def in_time(self) -> None:
        """Grow by about one for each window of permissions read back in time."""
        self.size = min(float(self.max), self.size + 1.0 / self.size)
