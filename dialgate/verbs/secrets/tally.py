"""What became of secrets of one kind that were to be sealed by the newest master key."""

from dataclasses import dataclass, field


@dataclass
class SealTally:
    """How many are sealed by the newest key, and which are not."""

    what: str  # In the plural.
    done: int = 0  # Sealed anew, now.
    before: int = 0  # By the newest key already.
    left: list[str] = field(default_factory=list)  # A sentence for each that is not.

    def clear(self) -> None:
        """Count anew."""
        self.done, self.before = 0, 0
        self.left.clear()

    def add(self, other: "SealTally") -> None:
        """Take in others of the same kind."""
        self.done += other.done
        self.before += other.before
        self.left += other.left

    @property
    def total(self) -> int:
        """Return how many were looked at."""
        return self.done + self.before + len(self.left)

    def sentence(self) -> str:
        """Return it in words."""
        left = f", {len(self.left)} left" if self.left else ""
        return f"{self.what}: {self.done} sealed anew, {self.before} were already{left}"
