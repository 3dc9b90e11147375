"""Which clients a carrier process accepts, which it calls back, and what it logs."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from campaigns.domain.facts import Disposition
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.carrier.http.app import create_carrier_app
from dialer.carrier.http.callbacks import Callbacks, allowed_origin, loopback
from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.http.door import ORDER_MAX_BYTES
from dialer.carrier.http.wire import CARRIER
from dialer.carrier.port import Ended, NotFound, Rung
from dialgate import carrier_process
from dialgate.settings import ProcessSettings
from tests.contract.test_carrier import (
    CALL,
    CLOCK,
    QUICK,
    Ends,
    rings,
    served,
    simulated,
    soon,
)
from tests.support.waiting import until

SECRET = SecretStr("a secret that nobody guesses")
ORDER = {
    "campaign_id": 1, "contact_id": 1, "run": 1, "attempt": 1, "to": "+15551234567",
    "ring_by": "2100-01-01T00:00:00Z",
}  # fmt: skip


@asynccontextmanager
async def door(folder: Path, *callbacks_to: str) -> AsyncIterator[str]:
    app = create_carrier_app(simulated(folder, QUICK), CLOCK, SECRET, callbacks_to)
    async with served(app) as url:
        yield url


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("guess"), {"authorization": "Bearer"}, {"authorization": SECRET.get_secret_value()},
     bearer(SECRET.get_secret_value() + "x"), {"authorization": "Basic YTpi"}],
)  # fmt: skip
async def test_without_the_secret_nothing_rings_is_ended_or_told(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with door(tmp_path) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        asked = [
            await client.put("/calls/x", json=ORDER),
            await client.get("/calls/x"),
            await client.delete("/calls/x"),
            await client.get("/"),
            await client.get("/nowhere"),
        ]
        assert {answer.status_code for answer in asked} == {401}
        assert asked[0].headers["www-authenticate"] == "Bearer"
        assert (await client.get("/health/ready")).status_code == 200  # For its supervisor.
    assert rings(tmp_path) == []


async def test_a_dialer_with_the_secret_is_served_and_one_without_learns_why(
    tmp_path: Path,
) -> None:
    async with door(tmp_path) as url:
        carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, secret=SECRET)
        await carrier.open(Ends().__setitem__)
        assert isinstance(await carrier.place(CALL, soon()), Rung)
        assert await carrier.look_up("b") == NotFound()
        await carrier.hang_up("a")
        await carrier.close()
        for wrong in (None, SecretStr("another")):
            carrier = HttpCarrier(url, None, 5.0, CLOCK, lease_s=2.0, secret=wrong, open_s=0)
            with pytest.raises(CarrierUnavailableError, match="DIALGATE_CARRIER_SECRET"):
                await carrier.open(Ends().__setitem__)
            await carrier.close()


async def test_an_order_has_a_bound_and_one_below_it_rings(tmp_path: Path) -> None:
    async with (
        door(tmp_path) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(SECRET.get_secret_value())) as client,
    ):
        long = ORDER | {"variables": {"a": "x" * ORDER_MAX_BYTES}}
        assert (await client.put("/calls/x", json=long)).status_code == 413
        large = ORDER | {"variables": {"a": "x" * (ORDER_MAX_BYTES // 2)}}
        assert (await client.put("/calls/y", json=large)).status_code == 200
    assert [call_id for call_id, _ in rings(tmp_path)] == ["y"]


async def test_who_means_another_carrier_is_told_so_and_nothing_rings(tmp_path: Path) -> None:
    async with (
        door(tmp_path) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(SECRET.get_secret_value())) as client,
    ):
        known = (await client.get("/")).json()["id"]
        answer = await client.put("/calls/x", json=ORDER, headers={CARRIER: "another"})
        assert (answer.status_code, answer.headers[CARRIER]) == (421, known)
        assert (await client.put("/calls/y", json=ORDER, headers={CARRIER: known})).is_success
    assert [call_id for call_id, _ in rings(tmp_path)] == ["y"]


async def test_it_has_no_pages_that_load_anything(tmp_path: Path) -> None:
    async with (
        door(tmp_path) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(SECRET.get_secret_value())) as client,
    ):
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("url", "allowed", "origin"),
    [
        ("http://127.0.0.1:8000/carrier/events/to-k_3n", (), "http://127.0.0.1:8000"),
        ("http://localhost/carrier/events/t", (), "http://localhost"),
        ("http://[::1]:8000/carrier/events/t", (), "http://[::1]:8000"),
        ("http://dialer:8000/carrier/events/t", ("http://dialer:8000",), "http://dialer:8000"),
        ("http://dialer:8000/carrier/events/t", (), None),
        ("http://127.0.0.1:8000/carrier/events/t", ("http://dialer:8000",), None),
        ("http://dialer:80001/carrier/events/t", ("http://dialer:8000",), None),
        ("http://dialer:8000.example.com/carrier/events/t", ("http://dialer:8000",), None),
        ("http://dialer:8000@example.com/carrier/events/t", ("http://dialer:8000",), None),
        ("http://elsewhere/carrier/events/t", (), None),
        ("http://127.0.0.1.python.org/carrier/events/t", (), None),
        ("http://127.0.0.1:18499/internal/admin?x=1", (), None),
        ("http://127.0.0.1/carrier/events/", (), None),
        ("http://127.0.0.1/carrier/events/../admin", (), None),
        ("http://127.0.0.1/carrier/events/t?x=1", (), None),
        ("http://127.0.0.1/carrier/events/%2e%2e%2fadmin", (), None),
        ("http://user:pw@127.0.0.1/carrier/events/t", (), None),
        ("file:///carrier/events/t", (), None),
        ("ftp://127.0.0.1/carrier/events/t", (), None),
        ("http://[/carrier/events/t", (), None),
    ],
)
def test_it_calls_back_the_dialers_route_at_allowed_addresses_and_nothing_else(
    url: str, allowed: tuple[str, ...], origin: str | None
) -> None:
    assert allowed_origin(url, allowed) == origin


def test_allowed_origins_are_read_as_people_write_them() -> None:
    given = CarrierSettings(callback_allowed=" http://a:1/, http://b:2 ,")
    assert given.callback_origins() == {"http://a:1", "http://b:2"}
    assert CarrierSettings().callback_origins() == frozenset()


async def test_no_line_of_the_log_has_a_callbacks_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has it can report ends that never were."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # As configure_logging has it.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    token = "t0ken-that-is-secret"
    async with (
        door(tmp_path) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(SECRET.get_secret_value())) as client,
    ):
        for number, origin in enumerate(("http://127.0.0.1:9", "http://elsewhere")):
            order = ORDER | {"callback_url": f"{origin}/carrier/events/{token}"}
            assert (await client.put(f"/calls/{number}", json=order)).is_success
        await until(lambda: "given up" in caplog.text)
        await until(lambda: "DIALGATE_CARRIER_CALLBACK_ALLOWED" in caplog.text)
    assert token not in caplog.text


async def test_an_address_that_is_not_allowed_is_never_called(tmp_path: Path) -> None:
    carrier = simulated(tmp_path, QUICK)
    await carrier.open(lambda *_: None)
    callbacks = Callbacks(carrier)
    for call_id, url in (("a", "http://elsewhere"), ("b", "http://127.0.0.1:9")):
        await carrier.place(replace(CALL, call_id=call_id), soon(), f"{url}/carrier/events/t")
        callbacks.report(call_id, Ended(soon(0), soon(0), Disposition.BUSY, 0.0))
    assert callbacks._waiting.qsize() == 1
    assert callbacks._waiting.get_nowait().origin == "http://127.0.0.1:9"
    await carrier.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "carrier"])
async def test_it_does_not_start_where_others_reach_it_without_a_secret(
    tmp_path: Path, host: str
) -> None:
    process = ProcessSettings(host=host, port=0, data_dir=tmp_path)
    with pytest.raises(OSError, match=f"DIALGATE_CARRIER_SECRET: expected one.*{host}"):
        await carrier_process.serve(process, CarrierSettings(), CLOCK, lambda _: None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert loopback(host)
