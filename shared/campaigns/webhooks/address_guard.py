"""Keeps outgoing connections outside the network: the address that is connected to is checked.

A name is resolved once, and the connection goes to the address that was checked, so that a name
whose address changes in between (DNS rebinding) leads nowhere else. TLS still verifies the name.
Source: OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpcore

from campaigns.process.errors import OperatingError

# IPv4 addresses inside IPv6 ones. Source: RFC 6052, section 2.1; RFC 8215.
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


class AddressRefusedError(OperatingError):
    """A receiver's address is inside the network, or its URL is not one to deliver to."""


def outside(text: str) -> bool:
    """Say whether an IP address is one of the public network, and of a single host."""
    found = ip_address(text.partition("%")[0])  # Without the zone of a link-local address.
    return all(_public(one) for one in _meant(found))


def _meant(found: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """Yield the address and those that it stands for, or is translated to on its way."""
    yield found
    if isinstance(found, IPv6Address):
        yield from (one for one in (found.ipv4_mapped, found.sixtofour) if one is not None)
        yield from found.teredo or ()
        if any(found in network for network in _NAT64):
            yield IPv4Address(int(found) & 0xFFFF_FFFF)


def _public(found: IPv4Address | IPv6Address) -> bool:
    mapped = isinstance(found, IPv6Address) and found.ipv4_mapped is not None
    return (found.is_global or mapped) and not found.is_multicast


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections, to addresses outside the network alone."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's own interface)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that is outside and answers.

        Raises:
            AddressRefusedError: none of its addresses is outside; nothing was connected to.
            httpcore.ConnectError: the name is not known, or no address answers.

        """
        allowed = [one for one in await _resolved(host, port) if outside(one)]
        if not allowed:
            raise AddressRefusedError(
                f"{host}: expected an address outside the network, found one inside"
                " (DIALGATE_WEBHOOK_PRIVATE=true allows it)"
            )
        failure: httpcore.ConnectError | None = None
        for address in allowed:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as exc:
                failure = exc
        assert failure is not None, "there was an address"
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's own interface)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a socket of this machine is inside.

        Raises:
            AddressRefusedError: always.

        """
        raise AddressRefusedError(f"{path}: expected a host, found a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait, between two tries of httpcore's own."""
        await self._inner.sleep(seconds)


async def _resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the resolver's order, each once."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host}: {exc}") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
