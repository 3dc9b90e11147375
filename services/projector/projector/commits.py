"""Stores the views beside the event loop: a batch is read and committed by a thread of its own.

The loop rules on records and folds them; meanwhile the thread writes what was folded before. A
batch is taken when it is large enough, when its first record has lingered, or as soon as somebody
waits for it. One batch at a time: the fold rests while the thread uses what it made (ADR-0026).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from campaigns.process.errors import StoreUnavailableError
from campaigns.records.steps import bounded
from projector.advance import Views

logger = logging.getLogger(__name__)

RETRY_S, RETRY_MAX_S = 0.1, 2.0  # Between two tries to reach a store that is away.
BATCH_MAX = 256  # Records that do not linger: enough to share a commit.
WAITING_MAX = 1_024  # Records ruled on ahead of the commits; then the reader waits.
WAITING_BYTES_MAX = 4 * 2**20  # The same in bytes.
SLICE_MAX = 128  # Records folded before the event loop is yielded: some 2 ms.


class Commits:
    """The batches of one projector's views, in order."""

    def __init__(self, views: Views, linger_s: float, retry_max_s: float = RETRY_MAX_S) -> None:
        """Store the settings.

        `linger_s`: how long a record waits for others to share a commit. `retry_max_s`: the longest
        wait between two tries while the store is away.
        """
        self._views, self._linger_s, self._retry_max_s = views, linger_s, retry_max_s
        self._thread = ThreadPoolExecutor(1, "views")  # Starts with the first batch.
        self._due = asyncio.Event()
        self._release = asyncio.Event()  # Of the partitions that rest now; each time another.
        self._lingering: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._ending = False  # True: do not wait for a store that is away.
        self._torn = False  # A batch was begun and not finished: memory is ahead of the store.

    def begin(self) -> None:
        """Take over from the reader: from now on it shows what was committed."""
        reader = self._views.reader
        reader.stores_later()
        reader.rest, reader.waiters.on_waiting = self._rest, self._hurry
        self._views.on_ruled = self._ruled

    async def run(self) -> None:
        """Commit batch after batch until cancelled.

        Raises:
            StoreUnreadableError: a stored row cannot be read.

        """
        while True:
            await self._due.wait()
            self._due.clear()
            self._released()
            await asyncio.sleep(0)  # Partitions that rested until now make their step first.
            await self._commit()

    async def drain(self) -> None:
        """Commit everything that has been ruled on; nothing while the store is away.

        What is not committed is folded again at the next start.
        """
        self._ending = True
        with suppress(StoreUnavailableError):
            if self._views.store.away is None:
                await self.flush()

    async def flush(self) -> None:
        """Commit everything that has been ruled on, however long that takes."""
        while await self._commit():
            pass

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[None]:
        """Rest between two batches: what is stored is what is shown, and nothing moves."""
        async with self._turn:
            yield

    def close(self) -> None:
        """Wait for the commit in progress. Nothing may be committed afterwards."""
        self._thread.shutdown()

    def _ruled(self) -> None:
        if self._full or self._views.reader.waiters:
            self._due.set()
        elif self._lingering is None:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(self._linger_s, self._due.set)

    @property
    def _full(self) -> bool:
        return self._views.waiting >= BATCH_MAX or self._views.waiting_bytes >= WAITING_BYTES_MAX

    async def _rest(self) -> None:
        """Let a step's records linger, with those of other steps; wait while there are too many."""
        views = self._views
        if self._full or views.reader.waiters:
            await asyncio.sleep(0)
        else:
            await self._release.wait()
        while views.waiting >= WAITING_MAX or views.waiting_bytes >= WAITING_BYTES_MAX:
            await self._release.wait()

    def _hurry(self) -> None:
        """Let the partitions go on, and commit: somebody waits."""
        self._released()
        self._due.set()

    def _released(self) -> None:
        self._release.set()
        self._release = asyncio.Event()

    async def _commit(self) -> bool:
        """Commit a batch; say whether there was one."""
        async with self._turn:
            if self._lingering is not None:
                self._lingering.cancel()
                self._lingering = None
            batch = None if self._torn else self._views.take()
            self._released()  # No partition waits for a batch that is taken already.
            if batch is None:
                return False
            self._torn = True
            if batch.touched:
                await self._beside(lambda: self._views.look_up(batch))
            self._views.index(batch)
            for some in bounded(batch.records):
                for first in range(0, len(some), SLICE_MAX):
                    self._views.fold_some(batch, some[first : first + SLICE_MAX])
                    await asyncio.sleep(0)
            await self._beside(lambda: self._views.store_batch(batch))
            self._torn = False
            self._views.tell(batch)
            return True

    async def _beside(self, work: Callable[[], None]) -> None:
        """Run in the thread; while the store is away, wait and run it again: it changes no memory.

        Raises:
            StoreUnavailableError: it is away, and the part ends.

        """
        wait_s, store = RETRY_S, self._views.store
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, work)
            except StoreUnavailableError as exc:
                if store.away is None:
                    logger.warning("the views stand still until their store is back: %s", exc)
                store.away = str(exc)
                if self._ending:
                    raise
            else:
                if store.away is not None:
                    logger.info("the views' store is back: they go on")
                store.away = None
                return
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._retry_max_s)
