"""What is the name of a time zone: the same on every machine."""

import zoneinfo
from datetime import UTC, datetime

import pytest

from campaigns.domain.zones import names, zone


@pytest.mark.parametrize("name", ["Mars/Base", "", "Europe", "../etc/passwd", "\0", "/etc/passwd"])
def test_what_is_no_time_zone_is_said_so(name: str) -> None:
    with pytest.raises(LookupError):
        zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/Berlin", "posix/UTC",
        "europe/berlin", "UTC ", "Etc", "zone.tab", "leapseconds", "zones", "", "CEST",
        "EST5EDT,M3.2.0,M11.1.0", "GMT+2", "UTC+1", "America/", "Europe/Berlin/..", "+01:00",
    ],
)  # fmt: skip
def test_a_name_that_iana_does_not_have_is_none(name: str) -> None:
    assert name not in names()


@pytest.mark.parametrize(
    "name",
    ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "US/Eastern", "Etc/GMT+5", "EST5EDT",
     "Asia/Calcutta", "Pacific/Apia", "GMT0", "Europe/Kyiv"],
)  # fmt: skip
def test_a_name_that_iana_has_is_one_whatever_the_machine_has(name: str) -> None:
    assert name in names()
    before = zoneinfo.TZPATH
    zone.cache_clear()
    zoneinfo.reset_tzpath(to=())
    try:
        assert zone(name).utcoffset(datetime(2026, 7, 1, tzinfo=UTC)) is not None
        assert zone(name).key == name
    finally:
        zoneinfo.reset_tzpath(to=before)


def test_what_an_earlier_build_took_from_its_machine_is_still_read() -> None:
    """Logs may have such names; readers must not stop at them where the machine has them."""
    every = zoneinfo.available_timezones() - names()
    for name in sorted(every)[:20]:
        assert zone(name).key == name
    assert zone("Factory").key == "Factory"
