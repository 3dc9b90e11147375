"""Follows one partition on an event loop in its own thread, for callers without a loop.

The bridge between the log's port, which is asynchronous, and libraries that block their threads.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from campaigns.domain.values.stream_names import Stream
from campaigns.eventsourcing.ordinals import Ordinals
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.errors import LogUnavailableError, OperatingError, TopicMisfitError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ClosedError(OperatingError):
    """The partition is not followed: not opened yet, or closed."""


class PartitionThread:
    """Rules and numbers a partition's records as they arrive. Any other thread may call it."""

    def __init__(
        self, make_log: Callable[[], EventLog], partition: Partition, within_s: float
    ) -> None:
        """Store the settings; `open` connects. `within_s` bounds every wait for the log."""
        self.partition = partition
        self.within_s = within_s
        self.ordinals = Ordinals()
        self.position = 0  # Records up to here are ruled and numbered.
        self.lock = threading.Lock()  # Guards ordinals, position and listeners.
        self.failure: Exception | None = None  # What ended it before it was closed.
        self._make_log = make_log
        self._listeners: set[threading.Event] = set()
        self._batch: list[Recorded] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # None: closed.

    def open(self) -> None:
        """Connect and begin to follow; return once connected.

        Raises:
            LogUnavailableError: the log cannot be reached.
            ContractError: the log does not fit, or has no such partition.

        """
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(opened)),
            name=f"follow {self.partition}",
            daemon=True,
        )
        self._thread.start()
        opened.result()

    def close(self) -> None:
        """Close the log and wake the listeners; later calls raise ClosedError."""
        thread, self._thread = self._thread, None
        loop, self._loop = self._loop, None
        if thread and loop:
            loop.call_soon_threadsafe(self._closing.set)
            thread.join()
        self.wake()

    async def _serve(self, opened: "Future[None]") -> None:
        self._closing = asyncio.Event()
        try:
            self._log = await self._opened()
        except BaseException as exc:  # The thread that waits in `open` raises it.
            opened.set_exception(exc)
            return
        self._reader = Reader(self._log, self)
        self._following = asyncio.create_task(self._follow(), name=f"follow {self.partition}")
        self._loop = asyncio.get_running_loop()
        opened.set_result(None)
        try:
            await self._closing.wait()  # The loop still answers after a failure.
        finally:
            self._following.cancel()
            await asyncio.wait([self._following])
            await self._log.close()

    async def _opened(self) -> EventLog:
        event_log = self._make_log()
        try:
            await event_log.open()
            found = event_log.partitions(self.partition.topic)
            if self.partition.number >= found:
                raise TopicMisfitError(f"expected {self.partition}, found {found} partitions")
        except BaseException:
            await event_log.close()
            raise
        return event_log

    async def _follow(self) -> None:
        try:
            await self._reader.follow([self.partition])
        except ExceptionGroup as exc:
            failure = exc.exceptions[0]
            logger.error("stopped following %s: %s", self.partition, failure)
            self.failure = failure
            self.wake()

    def fold(self, recorded: Recorded) -> None:
        """Take one accepted record in, to be numbered with its batch."""
        self._batch.append(recorded)

    def folded(self, partition: Partition, position: int) -> None:
        """Number the batch, and wake the listeners."""
        batch, self._batch = self._batch, []
        with self.lock:
            for recorded in batch:
                self.ordinals.accept(recorded)
            self.position = position
        if batch:
            self.wake()

    def wake(self) -> None:
        """Set the listeners' events."""
        with self.lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.set()

    def listen(self, event: threading.Event) -> None:
        """Set an event after each batch with accepted facts, and at the end."""
        with self.lock:
            self._listeners.add(event)

    def unlisten(self, event: threading.Event) -> None:
        """Stop setting an event."""
        with self.lock:
            self._listeners.discard(event)

    def check(self) -> None:
        """Return if more records may come.

        Raises:
            ClosedError: it is not open.
            Exception: the failure that ended it.

        """
        if self.failure:
            raise self.failure
        if self._loop is None:
            raise ClosedError(f"{self.partition} is not open")

    def catch_up(self) -> None:
        """Wait until all records that the log held at the call are ruled and numbered.

        Raises:
            LogUnavailableError: the log did not answer in time where it ends.
            NotFreshError: the records were not read in time.
            Exception: the failure that ended it.

        """
        self._ask(self._caught_up())

    def version(self, stream: Stream) -> int:
        """Return how many facts of a stream were accepted, up to the log's current end.

        Raises:
            Exception: as `catch_up`.

        """
        return self._ask(self._version(stream))

    def read(self, after: int, limit: int) -> Sequence[Recorded]:
        """Reread records.

        Raises:
            LogUnavailableError: the log did not answer in time.

        """
        return self._ask(self._read(after, limit))

    async def _caught_up(self) -> None:
        catching = asyncio.create_task(
            self._reader.catch_up([self.partition], within_s=self.within_s)
        )
        await asyncio.wait({catching, self._following}, return_when=asyncio.FIRST_COMPLETED)
        if catching.done():
            return catching.result()
        catching.cancel()
        self.check()
        raise ClosedError(f"{self.partition} was closed")

    async def _version(self, stream: Stream) -> int:
        await self._caught_up()
        return self._reader.ledger(self.partition).version(stream)

    async def _read(self, after: int, limit: int) -> Sequence[Recorded]:
        return await self._log.read(self.partition, after, limit)

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result in the calling thread."""
        loop = self._loop
        if loop is None:
            question.close()
            raise ClosedError(f"{self.partition} is not open")
        asked = asyncio.run_coroutine_threadsafe(question, loop)
        try:
            return asked.result(self.within_s + 1)
        except CancelledError as exc:
            raise ClosedError(f"{self.partition} was closed") from exc
        except TimeoutError as exc:
            asked.cancel()
            raise LogUnavailableError(
                f"{self.partition}: no answer within {self.within_s} s"
            ) from exc
