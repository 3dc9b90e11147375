"""The port of where lists' keys are kept, and its reference, in memory. Source: ADR-0042."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from campaigns.secrets.master_key import sealer_of

Change = Callable[[str | None], str | None]  # From a wrapped key to what takes its place.


class KeyStore(Protocol):
    """Where wrapped keys are. It can forget; the log cannot."""

    async def add(self, wrapped: Mapping[str, str]) -> None:
        """Keep new keys. They are durable when it returns.

        Raises:
            LogUnavailableError: they are not, or may not be.

        """
        ...

    def find(self, key_id: str) -> str | None:
        """Return a key as far as this process has read."""
        ...

    def key_ids(self) -> Sequence[str]:
        """Return the ids of all keys, as far as this process has read."""
        ...

    def sealers(self) -> Mapping[str, int]:
        """Return how many keys each master key wraps, by its name, as far as this process has read.

        A key that is none of ours counts under whatever stands before its first dot.

        Raises:
            KeyUnavailableError: nothing could be read yet, which is not the same as no key.

        """
        ...

    async def refresh(self) -> None:
        """Read all that was durable before the call. Raises: LogUnavailableError."""
        ...

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing. Durable when it returns.

        `change` may be asked several times, where others change the same key.
        """
        ...


def counted(wrapped: Iterable[str]) -> Mapping[str, int]:
    """Return how many of these wrapped keys each master key wraps, by its name."""
    return Counter(sealer_of(one) for one in wrapped)


class MemoryKeys:
    """The reference: a dictionary. For tests and simulation."""

    def __init__(self) -> None:
        self._wrapped: dict[str, str] = {}

    async def add(self, wrapped: Mapping[str, str]) -> None:
        """Keep new keys."""
        self._wrapped.update(wrapped)

    def find(self, key_id: str) -> str | None:
        """Return a key."""
        return self._wrapped.get(key_id)

    def key_ids(self) -> Sequence[str]:
        """Return the ids of all keys."""
        return list(self._wrapped)

    def sealers(self) -> Mapping[str, int]:
        """Return how many keys each master key wraps."""
        return counted(self._wrapped.values())

    async def refresh(self) -> None:
        """Nothing to read: memory is never behind."""

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing."""
        if (left := change(self._wrapped.get(key_id))) is None:
            self._wrapped.pop(key_id, None)
        else:
            self._wrapped[key_id] = left
