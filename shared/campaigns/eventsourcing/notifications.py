"""A partition's accepted facts as eventsourcing's notifications, a bounded stretch at a time."""

from collections.abc import Iterable, Sequence

from eventsourcing.persistence import Notification, OperationalError, ProgrammingError

from campaigns.eventsourcing.mapper import stored_events
from campaigns.eventsourcing.partition_thread import ClosedError, PartitionThread
from campaigns.process.errors import LogCutError, OperatingError
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.tags import current

CHUNK = 256  # Records examined, or reread, at a time.


def stretch(
    followed: PartitionThread, first: int, topics: Sequence[str] = ()
) -> tuple[list[Notification], int]:
    """Return one stretch of notifications, beginning at `first`, and the ordinal where it ends.

    It ends before `first` if no more records were read yet. `topics` are tags; a fact whose tag
    this build does not know is always included: it may be a newer version of a requested one, and
    the Mapper stops there.

    Raises:
        OperationalError: the log did not answer in time.

    """
    with followed.lock:
        ordinals = followed.ordinals
        if first > ordinals.facts:
            return [], first - 1
        kept = ordinals.kept(first, CHUNK)
        after, before = ordinals.place(first)
        position = followed.position  # Records after it have no ruling, thus no ordinal.
    if kept:
        before, records = kept
        return _numbered(ordinals.counting(records), before, first, topics)
    while True:
        try:
            records = followed.read(after, min(CHUNK, position - after))
        except OperatingError as exc:
            raise as_theirs(exc) from exc
        if not records:
            raise LogCutError(f"{followed.partition}: the records after {after} are gone")
        found, through = _numbered(ordinals.counting(records), before, first, topics)
        if through >= first:
            return found, through
        after, before = records[-1].position, through


def _numbered(
    records: Iterable[Recorded], before: int, first: int, topics: Sequence[str]
) -> tuple[list[Notification], int]:
    """Number accepted facts; return those requested from `first` on, and the last ordinal."""
    wanted = {None, *(current(topic) for topic in topics)}  # None: an unknown tag.
    found, ordinal = [], before
    for recorded in records:
        assert isinstance(recorded.envelope, Envelope), "only records are accepted"
        if ordinal + len(recorded.envelope.entries) < first:
            ordinal += len(recorded.envelope.entries)
            continue
        for event in stored_events(recorded):
            ordinal += 1
            if ordinal >= first and (not topics or current(event.topic) in wanted):
                found.append(Notification(**vars(event), id=ordinal))
    return found, ordinal


def as_theirs(no: OperatingError) -> OperationalError | ProgrammingError:
    """Return an operating error as one of the library's errors."""
    kind = ProgrammingError if isinstance(no, ClosedError) else OperationalError
    return kind(str(no))
