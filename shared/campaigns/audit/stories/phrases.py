"""The parts of sentences that stories are told in. Pure."""

from datetime import UTC, datetime

TEXT_CHARS_MAX = 1_000  # Of a sentence; a foreign producer's reason may have any length.


def clipped(text: str) -> str:
    """Return at most TEXT_CHARS_MAX characters of a text, and whether it was longer."""
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}…"


def moment(at: datetime) -> str:
    """Return an instant to the second, for people: `2026-03-01 12:00:00 UTC`."""
    try:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # A foreign producer's, at the end of the calendar.
        return at.isoformat()


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 contact`, `1,200 contacts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def lasted(seconds: float) -> str:
    """Return a duration for people: `4.0 s`, `2 min 5 s`, `3 h 0 min`, `2 d 4 h`."""
    if (seconds := max(0.0, seconds)) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def because(reason: str | None) -> str:
    """Return the end of a sentence that gives a reason, or says that there is none."""
    return f": {reason}." if reason else ". No reason was given."
