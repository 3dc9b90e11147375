"""A carrier's statement is believed only if it is plausible."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from campaigns.domain.facts import Disposition
from dialer.carrier.port import Ended, NoRing, NotFound, RefusedLate, Rung, Taken
from dialer.carrier.validation import (
    DAY_S,
    TEXT_CHARS_MAX,
    ImplausibleError,
    duration_s,
    ended,
    found,
    instant,
    placed,
    text,
)

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
S = timedelta(seconds=1)
WEST, EAST = timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))
BUSY = Disposition.BUSY


def end(**other: Any) -> Ended:  # Any: what a carrier may say instead.
    said: dict[str, Any] = {
        "began_at": NOW - 2 * S,
        "ended_at": NOW,
        "disposition": BUSY,
        "duration_s": 0.0,
    }
    return Ended(**said | other)


@pytest.mark.parametrize(
    "said",
    [
        NOW, NOW + timedelta(hours=23), NOW - timedelta(days=30),
        NOW.astimezone(WEST), NOW.astimezone(EAST),
    ],
)  # fmt: skip
def test_an_instant_near_now_or_long_ago_is_believed_in_utc(said: datetime) -> None:
    believed = instant(said, NOW)
    assert (believed, believed.tzinfo) == (said, UTC)


@pytest.mark.parametrize(
    "said",
    [
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=WEST),
        datetime(1, 1, 1, tzinfo=EAST),
        datetime(2026, 11, 28, 3),
        NOW + timedelta(days=2),
        "2026-11-28T00:00:00Z", 0, None, float("nan"),
    ],
)  # fmt: skip
def test_an_instant_that_cannot_be_is_not_believed(said: object) -> None:
    with pytest.raises(ImplausibleError):
        instant(said, NOW)


def test_nothing_happened_a_day_before_it_was_asked_for() -> None:
    earliest = NOW - timedelta(days=7)
    assert instant(earliest - timedelta(hours=23), NOW, earliest=earliest)
    for said in (earliest - timedelta(days=2), datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(ImplausibleError):
            instant(said, NOW, earliest=earliest)


@pytest.mark.parametrize("said", [0, 0.0, 1.5, DAY_S])
def test_a_duration_of_a_day_at_most_is_believed(said: float) -> None:
    assert duration_s(said) == said


@pytest.mark.parametrize(
    "said", [float("inf"), float("-inf"), float("nan"), -1.0, -1e-9, 1e308, DAY_S + 1, 10**400, "1"]
)
def test_other_durations_are_not(said: object) -> None:
    with pytest.raises(ImplausibleError):
        duration_s(said)


def test_a_text_is_cut_and_made_unicode() -> None:
    assert text("404 Not\0Found") == "404 Not\0Found"
    assert text("a\ud800b") == "a?b"
    assert text("नाम") == "नाम"
    for long in ("x" * 400_000, "\ud800" * 400_000, "ü" * (TEXT_CHARS_MAX + 1)):
        assert len(text(long)) == TEXT_CHARS_MAX
        text(long).encode()
    with pytest.raises(ImplausibleError):
        text(b"bytes")


def test_what_can_be_so_is_believed_as_it_is() -> None:
    for said in (Rung(NOW), end(), end(error="line dropped"), NoRing("no"), Taken(), RefusedLate()):
        assert found(said, NOW) == said
    assert ended(end(began_at=NOW), NOW) == end(began_at=NOW)
    assert placed(NoRing("x" * 501), NOW) == NoRing("x" * 499 + "…")


@pytest.mark.parametrize(
    "said",
    [
        end(duration_s=float("inf")), end(duration_s=None), end(ended_at=NOW - 3 * S),
        end(ended_at=datetime(9999, 12, 31, tzinfo=UTC)), end(began_at=None),
        end(began_at=NOW + 5 * S), end(disposition="busy"), end(error=7), end(error=b"x"),
        Rung(datetime(9999, 12, 31, 23, 59, 59, tzinfo=WEST)), Rung("now"), NoRing(None),  # type: ignore[arg-type]
        None, "ringing", 404, {"state": "ringing"}, ValueError("x"),
    ],
)  # fmt: skip
def test_what_cannot_be_so_is_not(said: object) -> None:
    with pytest.raises(ImplausibleError):
        found(said, NOW)


@pytest.mark.parametrize("said", [end(), Taken(), NotFound(), None])
def test_an_order_is_answered_by_a_ring_or_a_no(said: object) -> None:
    with pytest.raises(ImplausibleError):
        placed(said, NOW)
