"""Which addresses a webhook may go to, however they are spelt, and that the checked one is used."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import httpcore
import pytest
from pydantic import SecretStr

from campaigns.webhooks.address_guard import AddressRefusedError, GuardedBackend, outside
from campaigns.webhooks.endpoint import Endpoint
from tests.support.receiver import SECRET

INSIDE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1",
    "::127.0.0.1", "::8.8.8.8", "fec0::1", "2001::7f00:1", "168.63.129.16", "4000::1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_the_network_is_none_to_deliver_to(address: str) -> None:
    assert not outside(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is(address: str) -> None:
    assert outside(address)


SPELT = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.1",
    "0177.0.0.1", "10.1", "0xa9fea9fe", "169.254.43518", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::127.0.0.1]", "[fec0::1]",
    "localhost", "LOCALHOST",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELT)
async def test_no_spelling_of_an_inner_address_is_outside(host: str) -> None:
    """As the machine's own resolver reads it, which is what a connection is made to."""
    endpoint = Endpoint(f"https://{host}:9/hook", [SecretStr(SECRET)], 5.0)
    with pytest.raises(AddressRefusedError, match="outside the network"):
        await endpoint.post("1", b"{}", datetime(2026, 3, 1, tzinfo=UTC))
    await endpoint.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://", "https://u@example.com/", "https://u:p@example.com/",
        "https://example.com/#x", "ftp://example.com/", "file:///etc/passwd", "//example.com/",
        "https://example.com:99999/", "https://[::1/", "https:///etc", "https://exa mple.com/",
        "https://example.com/\r\nx: y", "https://\uff11\uff12\uff17.1\u3002/@/", "unix:/run/x",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_url_is_none_to_deliver_to(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        Endpoint(url, [SecretStr(SECRET)], 5.0)


class Dialed(httpcore.AsyncNetworkStream, httpcore.AsyncNetworkBackend):
    """Connects to nothing; notes where to, and which name TLS would have verified."""

    def __init__(self, *dead: str) -> None:
        self.dead, self.addresses, self.names = dead, list[str](), list[str | None]()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.addresses.append(host)
        if host in self.dead:
            raise httpcore.ConnectError("refused")
        return self

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self.names.append(server_hostname)
        raise httpcore.ConnectError("far enough")

    async def aclose(self) -> None:
        pass


async def dialed(backend: Dialed, *answers: list[str]) -> int:
    """Post to https://receiver, whose name has these addresses at each question after another.

    Returns how often the name was asked for.
    """
    asked = list(answers)

    async def resolved(host: str, port: int) -> list[str]:
        return asked.pop(0)

    guarded = GuardedBackend(resolved)
    guarded._inner = backend  # type: ignore[assignment]
    async with httpcore.AsyncConnectionPool(network_backend=guarded) as pool:
        await pool.request("POST", "https://receiver/hook", content=b"{}")
    return len(answers) - len(asked)


async def test_the_connection_goes_to_the_address_that_was_checked_and_tls_to_the_name() -> None:
    """A name that answers otherwise when it is asked again leads nowhere else: it is not asked."""
    backend = Dialed()
    with pytest.raises(httpcore.ConnectError, match="far enough"):
        await dialed(backend, ["8.8.8.8"], ["127.0.0.1"])
    assert backend.addresses == ["8.8.8.8"]
    assert backend.names == ["receiver"]


class Wire(Dialed):
    """A connection that notes what is sent; whoever reads gets an answer."""

    def __init__(self, *, ends: bool = False) -> None:
        super().__init__()
        self.ends, self.sent = ends, list[bytes]()

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.sent.append(buffer)
        if self.ends:
            raise httpcore.WriteError("it has hung up")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"

    def get_extra_info(self, info: str) -> Any:
        return None


@pytest.mark.parametrize("url", ["https://receiver/hook", "http://receiver/hook"])
@pytest.mark.parametrize("ends", [False, True])
async def test_a_request_is_sent_at_once_and_its_answer_read_whoever_hangs_up(
    url: str, ends: bool
) -> None:
    async def resolved(host: str, port: int) -> list[str]:
        return ["8.8.8.8"]

    guarded, wire = GuardedBackend(resolved), Wire(ends=ends)
    guarded._inner = wire  # type: ignore[assignment]
    async with httpcore.AsyncConnectionPool(network_backend=guarded) as pool:
        answer = await pool.request("POST", url, content=b"{}")
    assert answer.status == 413
    (request,) = wire.sent
    assert request.startswith(b"POST /hook HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n{}")


async def test_of_several_addresses_only_those_outside_are_tried() -> None:
    backend = Dialed("8.8.8.8")
    with pytest.raises(httpcore.ConnectError, match="far enough"):
        await dialed(backend, ["10.0.0.1", "8.8.8.8", "::1", "1.1.1.1"])
    assert backend.addresses == ["8.8.8.8", "1.1.1.1"]


async def test_a_name_that_leads_inside_alone_is_refused_and_nothing_is_connected_to() -> None:
    backend = Dialed()
    with pytest.raises(AddressRefusedError, match="receiver: expected an address outside"):
        await dialed(backend, ["10.0.0.1", "::ffff:127.0.0.1"])
    assert backend.addresses == []
