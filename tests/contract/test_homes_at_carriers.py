"""A carrier process takes the orders of one home of a log, and of no copy that looks like it."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dialer.carrier.home_keeper import HOME, DialingHome, refusal
from dialer.carrier.http.app import create_carrier_app
from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.port import Elsewhere, Rung
from tests.contract.test_carrier import CALL, CLOCK, QUICK, Ends, rings, served, simulated, soon

FIRST = DialingHome("log", 2, "a", process=100, records=50)
ADOPTED = replace(FIRST, generation=3, claim="b", process=50, records=40)


@pytest.mark.parametrize(
    ("asks", "begins", "why"),
    [
        (FIRST, True, None),
        (FIRST, False, None),
        (ADOPTED, True, None),
        (ADOPTED, False, None),  # The carrier was exchanged: it is not announced to this one.
        (replace(FIRST, generation=1), True, "adopted since"),
        (replace(FIRST, generation=1), False, "adopted since"),
        (replace(FIRST, claim="c"), True, "adopted at the same time"),
        (replace(FIRST, claim="c"), False, "adopted at the same time"),
        (replace(FIRST, records=49), True, "put back to an earlier state"),
        (replace(FIRST, records=49), False, None),  # A reader that lags.
        (replace(FIRST, process=99), True, None),  # It begins anew, with a clock that was set.
        (replace(FIRST, process=101), False, None),
        (replace(FIRST, process=99), False, "another process has begun"),
    ],
)
def test_of_two_homes_the_later_one_is_taken(
    asks: DialingHome, begins: bool, why: str | None
) -> None:
    said = refusal(FIRST, asks, begins=begins)
    assert said is None if why is None else why in (said or ""), said
    assert refusal(None, asks, begins=begins) is None


class Dialing:
    """One dialer's connection to a carrier process."""

    def __init__(self, url: str, home: DialingHome) -> None:
        self.home, self.told = home, list[tuple[str, int]]()
        self.carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0)

    async def begin(self) -> None:
        await self.carrier.open(Ends().__setitem__)
        await self.carrier.announce(lambda: self.home, lambda *why: self.told.append(why))

    async def __aenter__(self) -> "Dialing":
        await self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.carrier.close()

    async def order(self, call_id: str) -> object:
        return await self.carrier.place(replace(CALL, call_id=call_id), soon())


async def test_once_a_copy_is_adopted_its_originals_next_order_rings_nobody(
    tmp_path: Path,
) -> None:
    async with (
        served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url,
        Dialing(url, FIRST) as original,
    ):
        assert isinstance(await original.order("a"), Rung)
        async with Dialing(url, ADOPTED) as copy:
            assert isinstance(await copy.order("b"), Rung)
            assert await original.order("c") == Elsewhere()
            assert (len(original.told), original.told[0][1], copy.told) == (1, 3, [])
    async with (  # It is restarted.
        served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url,
        Dialing(url, FIRST) as original,
    ):
        assert original.told
        assert await original.order("d") == Elsewhere()
    assert [call_id for call_id, _ in rings(tmp_path)] == ["a", "b"]


async def test_of_two_machines_that_are_alike_the_one_that_began_last_rings(
    tmp_path: Path,
) -> None:
    async with (
        served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url,
        Dialing(url, FIRST) as first,
        Dialing(url, replace(FIRST, process=200)) as second,
    ):
        assert await first.order("a") == Elsewhere()
        assert isinstance(await second.order("b"), Rung)
        async with Dialing(url, replace(FIRST, process=300)) as again:  # It restarts.
            assert isinstance(await again.order("c"), Rung)
            assert await second.order("d") == Elsewhere()
    assert [call_id for call_id, _ in rings(tmp_path)] == ["b", "c"]


async def test_dialers_that_share_a_log_do_not_replace_one_another(tmp_path: Path) -> None:
    shared = replace(FIRST, process=0)
    async with (
        served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url,
        Dialing(url, shared) as one,
        Dialing(url, replace(shared, records=60)) as other,
    ):
        for call_id, dialer in (("a", one), ("b", other), ("c", one)):
            assert isinstance(await dialer.order(call_id), Rung)
            assert not dialer.told


async def test_a_log_that_was_put_back_is_told_by_what_the_carrier_heard_of_it(
    tmp_path: Path,
) -> None:
    async with served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url:
        async with Dialing(url, FIRST) as dialer:
            dialer.home = replace(FIRST, records=70)
            assert isinstance(await dialer.order("a"), Rung)
        async with Dialing(url, replace(FIRST, process=200, records=60)) as restored:
            assert "has heard of 70 records" in restored.told[0][0]


async def test_a_dialer_that_names_no_home_is_served_and_nonsense_is_not(tmp_path: Path) -> None:
    async with (
        served(create_carrier_app(simulated(tmp_path, QUICK), CLOCK)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        plain = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0)
        await plain.open(Ends().__setitem__)
        assert isinstance(await plain.place(CALL, soon()), Rung)
        await plain.close()
        for nonsense in ("x", "a/b/c/d/e", "a/b/1/2/3/4"):
            answer = await client.put("/homes", headers={HOME: nonsense})
            assert answer.status_code == 422
        assert (await client.put("/homes", headers={HOME: FIRST.spelt()})).status_code == 204
    assert DialingHome.parsed(FIRST.spelt()) == FIRST
