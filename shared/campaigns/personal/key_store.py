"""The port of where lists' keys are kept, and its reference, in memory. Source: ADR-0042."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

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

    async def refresh(self) -> None:
        """Read all that was durable before the call. Raises: LogUnavailableError."""
        ...

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing. Durable when it returns.

        `change` may be asked several times, where others change the same key.
        """
        ...


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

    async def refresh(self) -> None:
        """Nothing to read: memory is never behind."""

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing."""
        if (left := change(self._wrapped.get(key_id))) is None:
            self._wrapped.pop(key_id, None)
        else:
            self._wrapped[key_id] = left
