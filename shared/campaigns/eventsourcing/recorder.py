"""The log as a read-only ApplicationRecorder of eventsourcing: a partition is an application.

A notification's id is the ordinal of its fact among the partition's accepted facts: 1, 2, 3 …,
the same in every reader; refused and foreign records have none. The library's own ProjectionRunner
can follow it: dialgate/persistence.py creates one from PERSISTENCE_MODULE.

Not offered: writing, and so no process recorder, no snapshots, no Aggregate or Application that
saves. A decision here rests on two streams, which the library's interface cannot express; commands
go to the command API. Memory does not hold the log: older facts are reread from it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    ListenNotifySubscription,
    Notification,
    NotSupportedError,
    OperationalError,
    ShutDown,
    StoredEvent,
)

from campaigns.domain.values.stream_names import Stream
from campaigns.eventsourcing.notifications import as_theirs, stretch
from campaigns.eventsourcing.partition_thread import PartitionThread
from campaigns.log.port import EventLog
from campaigns.process.errors import LogCutError, OperatingError
from campaigns.records.topics import Partition

HANDED_BYTES_MAX = 1024 * 1024  # Per item of a subscription's queue, which holds ten.
RETRY_S = 0.5  # Between a subscription's retries while the log is unavailable.

logger = logging.getLogger(__name__)


class LogRecorder(ApplicationRecorder):
    """The accepted facts of one partition, in order. Thread-safe."""

    def __init__(
        self, make_log: Callable[[], EventLog], partition: Partition, *, within_s: float = 30.0
    ) -> None:
        """Store the settings; `open` connects. `within_s` bounds every wait for the log."""
        self.followed = PartitionThread(make_log, partition, within_s)

    def open(self) -> None:
        """Connect, and follow in a separate thread.

        Raises:
            OperationalError: the log cannot be reached.
            ContractError: the log does not fit, or has no such partition.

        """
        try:
            self.followed.open()
        except OperatingError as exc:
            raise OperationalError(str(exc)) from exc

    def close(self) -> None:
        """Close the log. Subscriptions that are not stopped yet end with an error."""
        self.followed.close()

    def max_notification_id(self) -> int | None:
        """Return the last ordinal at the log's current end, which covers every answered command.

        Raises:
            OperationalError: the log did not answer in time.
            ContractError: the log holds a record that breaks the contract.

        """
        try:
            self.followed.catch_up()
        except OperatingError as exc:
            raise as_theirs(exc) from exc
        with self.followed.lock:
            return self.followed.ordinals.facts or None

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return accepted facts by their ordinals, as far as read (see max_notification_id).

        `topics` are tags. A fact whose tag this build does not know is always included: it may be
        a newer version of a requested one, and the Mapper stops there.

        Raises:
            OperationalError: the log did not answer in time.
            ContractError: after the last one the log holds a record that breaks the contract.

        """
        first = 1 if start is None else max(1, start + (not inclusive_of_start))
        found: list[Notification] = []
        while len(found) < limit and (stop is None or first <= stop):
            some, through = stretch(self.followed, first, topics)
            if through < first:
                if not found:
                    self.check()
                break
            found += (one for one in some if stop is None or one.id <= stop)
            first = through + 1
        return found[:limit]

    def check(self) -> None:
        """Return if more facts may come.

        Raises:
            ProgrammingError: the recorder is not open.
            ContractError: the log holds a record that breaks the contract.

        """
        try:
            self.followed.check()
        except OperatingError as exc:
            raise as_theirs(exc) from exc

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return one stream's accepted facts at the log's current end, for inspection.

        It rereads the stretches of the partition that hold such a fact, and about one in twenty of
        the others: slow for a long stream, or a long log.

        Raises:
            OperationalError: the log did not answer in time.

        """
        stream = Stream(str(originator_id))
        try:
            last = self.followed.version(stream)
        except OperatingError as exc:
            raise as_theirs(exc) from exc
        last = last if lte is None else min(last, lte)
        found: list[StoredEvent] = []
        first, version = 1, 0
        while version < last and (desc or limit is None or len(found) < limit):
            with self.followed.lock:
                holding = self.followed.ordinals.holding(stream, first)
            assert holding is not None, "the log holds each version that was folded"
            some, through = stretch(self.followed, holding)
            for one in some:
                if one.originator_id == stream:
                    version = one.originator_version
                    if (gt or 0) < version <= last:
                        found.append(StoredEvent(stream, version, one.topic, one.state))
            first = through + 1
        return (found[::-1] if desc else found)[:limit]

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LogSubscription":
        """Return an iterator of the notifications after `gt`, which waits for more at the end.

        Raises:
            LogCutError: the log has fewer facts than `gt`.
            OperationalError: the log did not answer in time.

        """
        found = self.max_notification_id() or 0
        if (gt or 0) > found:
            raise LogCutError(
                f"{self.followed.partition}: expected at least {gt} accepted facts, found {found}:"
                " the log was cut, or the view belongs to another log"
            )
        return LogSubscription(recorder=self, gt=gt, topics=topics)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: object) -> NoReturn:
        """Refuse: this recorder is read-only.

        Raises:
            NotSupportedError: always.

        """
        raise NotSupportedError(
            "the log is read-only here: send commands to the command API, whose decisions carry the"
            " versions that they rest on"
        )


class LogSubscription(ListenNotifySubscription[LogRecorder]):
    """Notifications as their facts are accepted. It waits while the log is unavailable."""

    def __init__(
        self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        self._through = gt or 0  # The last ordinal examined, whether requested or not.
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.followed.listen(self._has_been_notified)
        self._has_been_notified.set()  # For facts accepted before the call above.

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._recorder.followed.unlisten(self._has_been_notified)

    def _pull(self) -> None:
        """Queue the available notifications; called again after each wake-up."""
        while not self._has_been_stopped:
            self._has_been_notified.clear()
            try:
                found, through = stretch(self._recorder.followed, self._through + 1, self._topics)
            except OperationalError as exc:
                logger.warning("waiting for the log: %s", exc)
                self._has_been_notified.wait(RETRY_S)
                continue
            if through == self._through:
                self._recorder.check()
                return
            try:
                for some in _bounded(found):
                    self._notifications_queue.put(some)
            except ShutDown:
                return
            self._through = through


def _bounded(notifications: Sequence[Notification]) -> Iterator[Sequence[Notification]]:
    """Split notifications into items of about HANDED_BYTES_MAX at most."""
    some: list[Notification] = []
    weight = 0
    for one in notifications:
        some.append(one)
        weight += len(one.state)
        if weight > HANDED_BYTES_MAX:
            yield some
            some, weight = [], 0
    if some:
        yield some
