"""Shares: how much of something one organization, and one key, may have in progress. Pure.

Counted per process. A caller over its share is refused at once; nobody waits for another's.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from campaigns.domain.api_keys import Caller

Who = TypeVar("Who", int, str)


@dataclass
class Shares:
    """What each organization and key has in progress."""

    organization_max: int
    key_max: int
    of_organization: Counter[int] = field(default_factory=Counter)
    _of_key: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Return how much is in progress in all."""
        return self.of_organization.total()

    def take(self, caller: Caller) -> Callable[[], None] | None:
        """Count one more; return a function that gives it back. None: the share is used up."""
        organization_id, key = caller.organization_id, caller.key_hash
        if self.of_organization[organization_id] >= self.organization_max:
            return None
        if self._of_key[key] >= self.key_max:
            return None
        self.of_organization[organization_id] += 1
        self._of_key[key] += 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if given_back:
                return
            given_back = True
            _less(self.of_organization, organization_id)
            _less(self._of_key, key)

        return give_back

    @contextmanager
    def taken(self, caller: Caller) -> Iterator[bool]:
        """Count one more within the context; yield whether the share allowed it."""
        give_back = self.take(caller)
        try:
            yield give_back is not None
        finally:
            if give_back is not None:
                give_back()


def _less(counts: Counter[Who], who: Who) -> None:
    counts[who] -= 1
    if not counts[who]:
        del counts[who]
