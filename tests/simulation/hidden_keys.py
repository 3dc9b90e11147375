"""The keys of contacts as one dialer has them: in some worlds it misses all of them for a while."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from campaigns.personal.key_store import Change, KeyStore
from campaigns.personal.list_keys import ListKeys

if TYPE_CHECKING:
    from tests.simulation.faulty_log import SimLog

MISSED = 0.2  # Of the dialers.
FOR_S = (0.5, 12.0)  # A missing key is looked for every 10 s.


class HiddenKeys:
    """A store of keys in which nothing is found for a while."""

    def __init__(self, real: KeyStore, log: "SimLog", name: str) -> None:
        self._real, self._log, self._name = real, log, name
        dice = Random(f"{log.plan.seed}/keys of {name}")
        hidden = dice.random() < MISSED
        self._from_s = dice.uniform(0.0, 25.0) if hidden else float("inf")
        self._until_s = min(self._from_s + dice.uniform(*FOR_S), log.plan.until_s)

    async def add(self, wrapped: Mapping[str, str]) -> None:
        """Keep new keys."""
        await self._real.add(wrapped)

    def find(self, key_id: str) -> str | None:
        """Return a key, or nothing while they are missed."""
        if self._from_s <= self._log.loop.true() < self._until_s:
            self._log.story.danger("a dialer missed a key")
            return None
        return self._real.find(key_id)

    def key_ids(self) -> Sequence[str]:
        """Return the ids of all keys."""
        return self._real.key_ids()

    def sealers(self) -> Mapping[str, int]:
        """Return how many keys each master key wraps."""
        return self._real.sealers()

    async def refresh(self) -> None:
        """Read what there is, which helps nobody who misses a key."""
        await self._real.refresh()

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing."""
        await self._real.change(key_id, change)


def keys_of(log: "SimLog", process: str) -> ListKeys | None:
    """Return the keys as a process has them."""
    keys = log.core.list_keys
    if keys is None or not process.startswith("dialer"):
        return keys
    return ListKeys(HiddenKeys(keys.store, log, process.split(".")[0]), keys._place)
