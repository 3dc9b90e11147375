"""How many bytes of bodies a process holds, and whose: bounded together, and for each organization.

Pure. What is held is given back whole, when its request is over.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Spent(Enum):
    """Whose bound would be passed."""

    SHARE = auto()  # The organization's own.
    ALL = auto()  # That of all organizations together.


@dataclass
class Weight:
    """What is held now, in bytes."""

    all_max_bytes: int
    organization_max_bytes: int
    of_organization: Counter[int] = field(default_factory=Counter)

    def take(self, organization_id: int, count: int) -> Spent | None:
        """Hold so many more; what would pass a bound is not held, and the bound is returned."""
        if self.of_organization[organization_id] + count > self.organization_max_bytes:
            return Spent.SHARE
        if self.of_organization.total() + count > self.all_max_bytes:
            return Spent.ALL
        self.of_organization[organization_id] += count
        return None

    def give_back(self, organization_id: int, count: int) -> None:
        """Hold so many fewer."""
        self.of_organization[organization_id] -= count
        assert self.of_organization[organization_id] >= 0, "each request gives back what it took"
        if not self.of_organization[organization_id]:
            del self.of_organization[organization_id]
