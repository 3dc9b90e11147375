"""Keeps outgoing connections outside the network: the address that is connected to is checked.

A name is resolved once, and the connection goes to the address that was checked, so that a name
whose address changes in between (DNS rebinding) leads nowhere else. TLS still verifies the name.
Source: OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

from campaigns.process.errors import OperatingError

# IPv4 addresses inside IPv6 ones. Source: RFC 6052, section 2.1; RFC 8215.
_METADATA = frozenset({IPv4Address("168.63.129.16")})  # Azure's: public by its number alone.
_UNICAST = IPv6Network("2000::/3")  # All that is assigned of global unicast. Source: RFC 4291, 2.4.
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
    if isinstance(found, IPv4Address):
        return found.is_global and not found.is_multicast and found not in _METADATA
    if found.ipv4_mapped is not None or found in _NAT64[0]:
        return True  # What it stands for is asked.
    return found in _UNICAST and found.is_global


Resolve = Callable[[str, int], Awaitable[list[str]]]
# Names are asked for by threads of their own: one that answers slowly holds up no query.
_RESOLVERS = ThreadPoolExecutor(32, "resolver")


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections, to addresses outside the network alone; `private`: to any."""

    def __init__(self, resolve: Resolve | None = None, *, private: bool = False) -> None:
        """Store the resolver. None: the machine's own."""
        self._inner, self._resolve = httpcore.AnyIOBackend(), resolve or _resolved
        self._private = private

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
        allowed = [one for one in await self._resolve(host, port) if self._private or outside(one)]
        if not allowed:
            raise AddressRefusedError(
                f"{host}: expected an address outside the network, found one inside"
                " (DIALGATE_WEBHOOK_PRIVATE=true allows it)"
            )
        failure: httpcore.ConnectError | None = None
        for address in allowed:
            try:
                return _Stream(
                    await self._inner.connect_tcp(
                        address, port, timeout, local_address, socket_options
                    )
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


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is also closed when a receiver never ends its TLS handshake.

    A request is sent at once, when its answer is read: httpcore writes its head and its body one
    after the other, and each wakes the receiver.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner, self._unsent = inner, bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._unsent:
            whole = bytes(self._unsent)
            self._unsent.clear()
            # One that has answered and hung up already is read: so does httpcore.
            with suppress(httpcore.WriteError):
                await self._inner.write(whole, timeout)
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._unsent += buffer

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            tls = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:  # httpcore closes it for all other reasons.
            await self._inner.aclose()
            raise
        return _Stream(tls)

    def get_extra_info(self, info: str) -> Any:  # Any: httpcore's own interface.
        return self._inner.get_extra_info(info)


async def _resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the resolver's order, each once."""
    loop = asyncio.get_running_loop()
    asking = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await loop.run_in_executor(_RESOLVERS, asking)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host}: {exc}") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
