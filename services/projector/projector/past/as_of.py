"""The point in a campaign's history that `as_of` asks for. Pure.

A position is a prefix of the campaign's partition. An instant is the campaign up to, and without,
the first of its own records whose time is later: nothing is shown that says of itself that it
happened later. Times are those of the services that wrote the records, so a clock that ran ahead
hides what follows its record until its time; an earlier instant never shows more than a later one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from campaigns.domain.values.instants import instant
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from projector.projections.records import micros

_POSITION = re.compile(r"([0-9]{1,9})@([0-9]{1,18})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_MAX = 64  # Characters of an `as_of`.


class AsOfError(ValueError):
    """`as_of` does not fit: one sentence."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """An instant, or a position. Exactly one of the two is set."""

    time: int | None = None  # Microseconds since 1970.
    place: tuple[int, int] | None = None  # Partition and position.

    @property
    def text(self) -> str:
        """Return it as it may be asked for."""
        if self.place is not None:
            return f"{self.place[0]}@{self.place[1]}"
        assert self.time is not None, "one of the two is set"
        return instant(_EPOCH + timedelta(microseconds=self.time))


def parsed(text: str) -> AsOf:
    """Read an instant with its offset from UTC, or `partition@position`.

    Raises:
        AsOfError: it is neither.

    """
    if match := _POSITION.fullmatch(text):
        return AsOf(place=(int(match[1]), int(match[2])))
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return AsOf(time=(found - _EPOCH) // timedelta(microseconds=1))
    except ValueError:
        pass
    raise AsOfError(
        "expected an instant with its offset, such as 2026-03-02T12:00:00Z, or a position, such as"
        " 0@812 (in a URL, + is written %2B)"
    )


def position_in(as_of: AsOf, partition: int, reached: int) -> int | None:
    """Return the position that is asked for, or None for an instant.

    `partition`: the campaign's. `reached`: the last position that is known there.

    Raises:
        AsOfError: it is of another partition, or lies ahead of the log.

    """
    if as_of.place is None:
        return None
    number, position = as_of.place
    if number != partition:
        raise AsOfError(
            f"expected a position of the campaign's partition, {partition}, found {as_of.text}"
        )
    if position > reached:
        raise AsOfError(f"{as_of.text} lies ahead of the log, which ends at {partition}@{reached}")
    return position


def refuse_future(as_of: AsOf, now: datetime) -> None:
    """Refuse an instant that has not come yet.

    Raises:
        AsOfError: it lies ahead of the log, which may still get records of before it.

    """
    if as_of.time is not None and as_of.time > (now - _EPOCH) // timedelta(microseconds=1):
        raise AsOfError(f"{as_of.text} lies ahead of the log: it is {instant(now)}")


def before(as_of: AsOf, campaign_id: int) -> AsOfError:
    """Return the error for a point at which the campaign was not created yet."""
    return AsOfError(f"{as_of.text} lies before campaign {campaign_id} was created")


def through(records: Iterable[Recorded], time: int, position: int) -> tuple[int, bool]:
    """Return the position of the last of a campaign's own records that an instant shows.

    `records`: in order, the next ones after `position`. Also returns whether a later one was met,
    at which the search ends.
    """
    for recorded in records:
        envelope = recorded.envelope
        assert isinstance(envelope, Envelope), "an accepted record"
        if micros(envelope.time) > time:
            return position, True
        position = recorded.position
    return position, False
