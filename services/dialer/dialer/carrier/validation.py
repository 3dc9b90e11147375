"""Validation of what a carrier says, whichever adapter received it. Pure.

An implausible statement is no answer: the call is looked up, and in the end its outcome is unknown.
ADR-0019.
"""

from datetime import UTC, datetime, timedelta

from campaigns.domain.facts import Disposition
from dialer.carrier.port import (
    Elsewhere,
    Ended,
    Found,
    NoRing,
    NotFound,
    Placed,
    RefusedLate,
    Rung,
    Taken,
)

DAY_S = 86_400.0  # No call lasts longer, and no clock is assumed to differ by more.
TEXT_CHARS_MAX = 500  # Of a reason or an error: it stands in a fact, and on people's screens.
_DAY = timedelta(seconds=DAY_S)


class ImplausibleError(ValueError):
    """A carrier's statement cannot be true."""


def instant(said: object, now: datetime, *, earliest: datetime | None = None) -> datetime:
    """Return an instant in UTC.

    Raises:
        ImplausibleError: no instant, over a day ahead of `now`, or over a day before `earliest`.

    """
    if not isinstance(said, datetime) or said.utcoffset() is None:
        raise ImplausibleError(f"expected an instant with its offset, found {said!r:.100}")
    if said - now > _DAY:  # Not `now + day`, which may overflow.
        raise ImplausibleError(f"expected an instant of at most a day ahead, found {said!s}")
    if earliest is not None and earliest - said > _DAY:
        raise ImplausibleError(f"expected an instant since {earliest!s}, found {said!s}")
    try:
        return said.astimezone(UTC)
    except OverflowError as exc:
        raise ImplausibleError(f"expected an instant of our era, found {said!s}") from exc


def duration_s(said: object) -> float:
    """Return a duration in seconds.

    Raises:
        ImplausibleError: not a number between 0 and a day.

    """
    if not isinstance(said, int | float) or not 0 <= said <= DAY_S:  # Excludes NaN.
        raise ImplausibleError(f"expected from 0 to {DAY_S:g} s, found {said!r:.100}")
    return float(said)


def text(said: object) -> str:
    """Return a text as it may stand in a fact: bounded, and Unicode.

    Raises:
        ImplausibleError: not a text.

    """
    if not isinstance(said, str):
        raise ImplausibleError(f"expected a text, found {type(said).__name__}")
    if len(said) > TEXT_CHARS_MAX:
        said = said[: TEXT_CHARS_MAX - 1] + "…"
    return said.encode(errors="replace").decode()  # A lone surrogate becomes a question mark.


def found(said: object, now: datetime, *, earliest: datetime | None = None) -> Found:
    """Return a carrier's answer about a call, validated.

    `earliest`: when the call was asked for, if that is known.

    Raises:
        ImplausibleError: it cannot be true.

    """
    match said:
        case Rung(began_at):
            return Rung(instant(began_at, now, earliest=earliest))
        case Ended():
            return ended(said, now, earliest=earliest)
        case NoRing(reason):
            return NoRing(text(reason))
        case Taken() | RefusedLate() | NotFound():
            return said
        case _:
            raise ImplausibleError(f"expected an answer, found {said!r:.100}")


def ended(said: object, now: datetime, *, earliest: datetime | None = None) -> Ended:
    """Return a call's end, validated.

    Raises:
        ImplausibleError: it cannot be true.

    """
    if not isinstance(said, Ended):
        raise ImplausibleError(f"expected a call's end, found {said!r:.100}")
    began_at = instant(said.began_at, now, earliest=earliest)
    ended_at = instant(said.ended_at, now, earliest=earliest)
    if ended_at < began_at:
        raise ImplausibleError(f"expected an end since {began_at!s}, found {ended_at!s}")
    if not isinstance(said.disposition, Disposition):
        raise ImplausibleError(f"expected a disposition, found {said.disposition!r:.100}")
    error = None if said.error is None else text(said.error)
    return Ended(began_at, ended_at, said.disposition, duration_s(said.duration_s), error)


def placed(said: object, now: datetime, *, earliest: datetime | None = None) -> Placed:
    """Return a carrier's answer to an order, validated.

    Raises:
        ImplausibleError: it cannot be true, or is no answer to an order.

    """
    if isinstance(said, Elsewhere):
        return said
    believed = found(said, now, earliest=earliest)
    if not isinstance(believed, Rung | NoRing | RefusedLate):
        raise ImplausibleError(f"expected an answer to an order, found {said!r:.100}")
    return believed
