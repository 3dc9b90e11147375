"""Time zones by IANA's names: the same names and rules on every machine. Pure but for reading.

Both come from the package `tzdata`, which is installed with this one. Other names that a machine
has (`localtime`, `posixrules`, `right/UTC`) mean something else on another machine.
"""

from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

_NO_PLACE = "Factory"  # Means that the machine's place was not set. Source: tz, `factory`.
_KEPT_MAX = 1_000  # There are some 600.


@cache
def names() -> frozenset[str]:
    """Return every name that a time zone may have."""
    text = resources.files("tzdata").joinpath("zones").read_text("ascii")
    return frozenset(text.split()) - {_NO_PLACE}


@lru_cache(_KEPT_MAX)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of a name in the log.

    Earlier builds accepted names that only their machine knew: these are looked up on the machine.

    Raises:
        LookupError: there is no such zone.

    """
    try:
        if name not in names():
            return ZoneInfo(name)
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
            return ZoneInfo.from_file(rules, key=name)
    except (KeyError, ValueError, OSError) as exc:  # Paths and folders are not names either.
        raise LookupError(f"there is no time zone {name!r}") from exc
