"""What happened in one world: lines for people, and how often each danger arose."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Story:
    """Told as it happens, in true time."""

    now: Callable[[], float]
    lines: list[tuple[float, str, str, tuple[object, ...]]] = field(default_factory=list)
    dangers: Counter[str] = field(default_factory=Counter)

    def tell(self, who: str, what: str, *about: object) -> None:
        """Add a line; `what` has a {} for each of `about`."""
        self.lines.append((self.now(), who, what, about))

    def danger(self, name: str, times: int = 1) -> None:
        """Count that something dangerous did arise."""
        self.dangers[name] += times

    def text(self) -> str:
        """Return the whole story."""
        return "\n".join(
            f"{at:9.4f}  {who:<12} {what.format(*about)}"
            for at, who, what, about in sorted(self.lines, key=lambda line: line[0])
        )
