"""Time zones by IANA's names: the same names and rules on every machine. Pure but for reading.

Both come from the package `tzdata`, which is installed with this one. What else a machine has
(`localtime`, `posixrules`, `right/UTC`) means something else on the next one.
"""

from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

_NO_PLACE = "Factory"  # Means that nobody has said where the machine is. Source: tz, `factory`.
_KEPT_MAX = 1_000  # There are some 600.


@cache
def names() -> frozenset[str]:
    """Return every name that a time zone may have."""
    text = resources.files("tzdata").joinpath("zones").read_text("ascii")
    return frozenset(text.split()) - {_NO_PLACE}


@lru_cache(_KEPT_MAX)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of this name, as it stands in the log.

    Builds before this one took names that only their machine knew: of those the machine is asked.

    Raises:
        LookupError: there is none.

    """
    try:
        if name not in names():
            return ZoneInfo(name)
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
            return ZoneInfo.from_file(rules, key=name)
    except (KeyError, ValueError, OSError) as exc:  # Paths and folders are no names either.
        raise LookupError(f"there is no time zone {name!r}") from exc
