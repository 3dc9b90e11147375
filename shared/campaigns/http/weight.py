"""How many bytes of request bodies a process holds: bounded in all, and for each organization.

Pure. A request gives back all that it holds when it is over.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Spent(Enum):
    """The bound that would be exceeded."""

    SHARE = auto()  # The organization's own.
    ALL = auto()  # That of all organizations together.


@dataclass
class Weight:
    """The bytes held now."""

    all_max_bytes: int
    organization_max_bytes: int
    of_organization: Counter[int] = field(default_factory=Counter)

    def take(self, organization_id: int, count: int) -> Spent | None:
        """Hold `count` more bytes, or return the bound that they would exceed."""
        if self.of_organization[organization_id] + count > self.organization_max_bytes:
            return Spent.SHARE
        if self.of_organization.total() + count > self.all_max_bytes:
            return Spent.ALL
        self.of_organization[organization_id] += count
        return None

    def give_back(self, organization_id: int, count: int) -> None:
        """Hold `count` fewer bytes."""
        self.of_organization[organization_id] -= count
        assert self.of_organization[organization_id] >= 0, "each request gives back what it took"
        if not self.of_organization[organization_id]:
            del self.of_organization[organization_id]
