"""The lists' keys in a compacted topic, of which each process holds all in memory. No Kafka.

Two that change one key at once overwrite each other: a topic compares nothing. So who has written
reads back, and merges with what another wrote meanwhile. A tree only ever loses rows, so nothing
but an erasure can be overwritten; and those are facts in the log, from which forgotten_rows does
them again. Source: ADR-0042.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from campaigns.personal.key_store import Change, counted
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.process.errors import LogUnavailableError, TooContendedError
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)

MARKER = ""  # The key of records that mean nothing: they end a segment.
FOLLOW_S = 1.0  # How soon a running process knows what another one has changed.
SLACK_S = 1.0  # A segment is ended so much later than it may be.
TRIES_MAX = 8  # Of one change, where others change the same key.


class KeyTopicClosedError(LogUnavailableError):
    """We have no right to the topic."""


class KeyListener(Protocol):
    """Told each record of the topic, in order."""

    def __call__(self, offset: int, key_id: str, wrapped: str | None) -> None:
        """Take one in. None: the key was deleted."""
        ...


class ReadableKeys(Protocol):
    """Reads the topic."""

    @property
    def wrapped(self) -> Mapping[str, str]:
        """Return what was read: the newest of each key, MARKER among them."""
        ...

    async def read(self, listener: KeyListener) -> None:
        """Read up to where the topic ends now. Not for concurrent use.

        Raises:
            LogUnavailableError: no answer in time; what was read before stays.

        """
        ...

    async def close(self) -> None:
        """Disconnect; the next read begins anew."""
        ...


class WritableKeys(Protocol):
    """Writes into the topic."""

    async def write(self, messages: Mapping[str, str | None]) -> list[int]:
        """Write, by key; return the offsets once all are durable.

        Raises:
            LogUnavailableError: not all were acknowledged in time; they may still appear.

        """
        ...

    async def close(self) -> None:
        """Disconnect; the next write connects again."""
        ...


class TopicKeys:
    """The keys of one log. Implements the KeyStore port."""

    def __init__(self, reader: ReadableKeys, writer: WritableKeys, roll_s: float) -> None:
        """Store the settings. `roll_s`: how long a segment is written, at least."""
        self._reader, self._writer, self._roll_s = reader, writer, roll_s
        self._reading, self._changing = asyncio.Lock(), asyncio.Lock()
        self._watched, self._seen = MARKER, list[tuple[int, str | None]]()
        self._was_read, self._unread = False, ""  # Why the first read did not succeed yet.
        self._taken = 0  # Records so far.
        self._counted: tuple[tuple[int, int], Mapping[str, int]] = (
            (0, 0),
            {},
        )  # As of what was read.
        self._changed_at: float | None = None  # Since then the newest record is no marker.
        self._following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Read what others change, and end segments, until closed. Idempotent."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="keys of contacts")

    async def _follow(self) -> None:
        may_write = True
        while True:
            try:
                await self.refresh()
                if may_write and self._ends_segment():
                    await self._writer.write({MARKER: MARKER})
            except KeyTopicClosedError:
                may_write = False  # Others have the right; who needs it says so.
            except LogUnavailableError as exc:
                logger.warning("%s", exc)
            except Exception:  # A fault of ours or of the client: nobody else would read on.
                logger.exception("the keys of contacts cannot be followed now")
            await asyncio.sleep(FOLLOW_S)

    def _ends_segment(self) -> bool:
        """Say whether what was changed last may be compacted once another record is there."""
        now = asyncio.get_running_loop().time()
        return self._changed_at is not None and now > self._changed_at + self._roll_s + SLACK_S

    def _take(self, offset: int, key_id: str, wrapped: str | None) -> None:
        self._taken += 1
        self._changed_at = None if key_id == MARKER else asyncio.get_running_loop().time()
        if key_id == self._watched:
            self._seen.append((offset, wrapped))

    async def close(self) -> None:
        """Disconnect, in a bounded time."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
            self._following = None
        await self._reader.close()
        await self._writer.close()

    async def add(self, wrapped: Mapping[str, str]) -> None:
        """Keep new keys. Raises: LogUnavailableError."""
        await self._writer.write(wrapped)
        await self.refresh()

    def find(self, key_id: str) -> str | None:
        """Return a key as far as this process has read."""
        return self._reader.wrapped.get(key_id)

    def key_ids(self) -> Sequence[str]:
        """Return the ids of all keys, as far as this process has read."""
        return [key_id for key_id in self._reader.wrapped if key_id != MARKER]

    def sealers(self) -> Mapping[str, int]:
        """Return how many keys each master key wraps, as far as this process has read.

        Raises:
            KeyUnavailableError: it could read nothing yet, which is not the same as no key.

        """
        self._check_read()
        wrapped = self._reader.wrapped
        if self._counted[0] != (as_of := (self._taken, len(wrapped))):  # Health asks often.
            self._counted = as_of, counted(one for key_id, one in wrapped.items() if key_id)
        return self._counted[1]

    async def refresh(self) -> None:
        """Read all that was durable before the call. Raises: LogUnavailableError."""
        async with self._reading:
            try:
                await self._reader.read(self._take)
            except LogUnavailableError as exc:
                self.note_unread(str(exc))
                raise
            self._was_read = True

    def note_unread(self, why: str) -> None:
        """Note why nothing could be read. What was read once stays, so then it is nothing new."""
        self._unread = why

    def _check_read(self) -> None:
        if self._unread and not self._was_read:
            raise KeyUnavailableError(self._unread)

    async def change(self, key_id: str, change: Change) -> None:
        """Put another one in a key's place, or nothing; merge with what others do meanwhile.

        Raises:
            LogUnavailableError: it may or may not be done; doing it again is safe.
            TooContendedError: others changed the same key, TRIES_MAX times.

        """
        async with self._changing:
            await self.refresh()
            self._watched, was = key_id, self.find(key_id)
            for _ in range(TRIES_MAX):
                if (left := change(was)) == self.find(key_id):
                    return
                self._seen = []
                (offset,) = await self._writer.write({key_id: left})
                await self.refresh()
                others = [value for at, value in self._seen if at != offset]
                if not others:
                    return
                was = others[-1]  # Written by another, who had not read ours, or we not theirs.
            raise TooContendedError(f"others changed the key {key_id} each time: try again")
