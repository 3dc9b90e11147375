"""Projection: where each campaign's own records are in the log, and snapshots of long campaigns.

An accepted record is a campaign's own if one of its facts names the campaign. A chunk of a long
list is not: it belongs to no campaign until the list counts. Pure.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from campaigns.domain.campaign import Campaign, dump
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from projector.projections.changes import Changes

BLOCK = 128  # Positions a row: 1 KiB, of which half is rewritten by a batch.
# Records between two snapshots: to fold them takes some 10 ms, and a snapshot weighs less than a
# hundredth of them.
SNAPSHOT_EVERY = 1_024
_MASS = 32 * 1024  # Bytes of a state for which snapshots become proportionally rarer.
_CALL_MASS, _LATE_MASS = 400, 12  # Bytes of an open call, and of a late contact's number.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = attrgetter("envelope.time")  # Of an accepted record.
# As `Record.encode` writes it, with any digits.
_USUAL = b"0000-00-00T00:00:00.000000+00:00", b"0000-00-00T00:00:00+00:00"
_ZEROS = bytes.maketrans(b"123456789", b"000000000")

# Partition and position of a record → the campaigns whose own it is, its ordinal among theirs.
Due = dict[tuple[Partition, int], list[tuple[int, int]]]


@dataclass(slots=True)
class LastBlock:
    """The last block of a campaign's records."""

    block: int = 0
    positions: "array[int]" = field(default_factory=lambda: array("Q"))
    latest: int = 0  # The greatest time of all the campaign's records; microseconds since 1970.

    @property
    def records(self) -> int:
        """Return how many records the campaign has."""
        return self.block * BLOCK + len(self.positions)


def micros(time: str) -> int:
    """Return a record's time in microseconds since 1970; 0 if it is no instant.

    The rule does not look at times, so another producer's may be any text.
    """
    try:
        return (datetime.fromisoformat(time) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):
        return 0


def latest(times: Sequence[str]) -> int:
    """Return the greatest of these times, as `micros` reads them.

    Times as our services write them are sorted as text: to read each costs a fold a thirtieth.
    """
    written, many = "".join(times), len(times)
    shape = written.encode(errors="replace").translate(_ZEROS)
    usual = shape in [one * many for one in _USUAL] and written.count("+00:00") == many
    return (usual and micros(max(times))) or max(map(micros, times))


def project(
    changes: Changes, tails: Mapping[int, LastBlock], own: Mapping[int, Sequence[Recorded]]
) -> Due:
    """Project the campaigns' own records of a batch; return where a snapshot may be due.

    `tails` has a tail of each of these campaigns, and is changed.
    """
    due: Due = {}
    for campaign_id, records in own.items():
        tail, first = tails[campaign_id], 0
        before = tail.records
        while first < len(records):
            some = records[first : first + BLOCK - len(tail.positions)]
            first += len(some)
            tail.positions.extend([recorded.position for recorded in some])
            tail.latest = max(tail.latest, latest(list(map(_TIME, some))))
            row = tail.positions[-1], tail.latest, tail.positions.tobytes()
            changes.records[campaign_id, tail.block] = row
            if len(tail.positions) == BLOCK:
                tail.block, tail.positions = tail.block + 1, array("Q")
        for n in range(SNAPSHOT_EVERY - before % SNAPSHOT_EVERY, len(records) + 1, SNAPSHOT_EVERY):
            last = records[n - 1]
            due.setdefault((last.partition, last.position), []).append((campaign_id, before + n))
    return due


def snapshot(changes: Changes, campaign: Campaign, position: int, records: int) -> None:
    """Take a snapshot after the campaign's record at `position`, its `records`th, if one is due.

    Snapshots of a large state are rarer, so that all of them together stay below a twentieth of
    the records; which ones are taken depends on the history alone.
    """
    if records // SNAPSHOT_EVERY % (1 + _mass(campaign) // _MASS) == 0:
        changes.snapshots[campaign.campaign_id, position] = dump(campaign)


def _mass(campaign: Campaign) -> int:
    """Return about how many bytes a state has, without writing it."""
    created = campaign.created
    texts = (
        created.description, created.welcome_message_template, created.agenda_template,
        created.end_call_message_template, created.sms_message_template,
    )  # fmt: skip
    calls = len(campaign.calls) + len(campaign.doubted)
    return (
        sum(len(text) for text in texts if text)
        + calls * _CALL_MASS
        + len(campaign.late) * _LATE_MASS
    )
