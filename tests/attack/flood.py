"""A flood of clients that are slow in every way, as a process of its own. No tests.

`python -m tests.attack.flood PORT KEY CAMPAIGN` holds CROWD connections of each slow kind, and
opens those anew that are closed on it; beside them eight clients without a key send heavy bodies,
and one tenant asks as fast as it is answered. It prints a line when all of them have begun, and
runs until it is ended.
"""

import asyncio
import contextlib
import os
import random
import resource
import socket
import sys
from collections.abc import Awaitable, Callable

from tests.attack.line import head

CROWD = 400  # Connections of each kind.
HEAVY, BUSY = 8, 4
DRIP_S = (2.0, 5.0)  # Between two bytes of a slow sender.
AGAIN_S = (2.0, 4.0)  # Before one that was closed comes again: some 900 newcomers a second.
CAMPAIGNS = "/api/v1/campaigns"
HEAVY_BYTES = 10 * 2**20
UPGRADE: dict[str, str | int] = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": 13,
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
CHUNKED: dict[str, str | int] = {
    "Content_Type": "application/json", "Transfer_Encoding": "chunked",
}  # fmt: skip


class Flood:
    """All clients of one process, towards one port."""

    def __init__(self, port: int, key: str, campaign: int) -> None:
        self._port, self._key, self._campaign = port, key, campaign
        self._loop = asyncio.get_running_loop()
        self.begun = 0

    async def _connected(self) -> socket.socket:
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await self._loop.sock_connect(one, ("127.0.0.1", self._port))
        except BaseException:
            one.close()
            raise
        return one

    async def slow(self, first: bytes, drip: bytes, reads: bool) -> None:
        """Hold one connection: say something, then a little now and then."""
        self.begun += 1
        while True:
            with contextlib.suppress(OSError), await self._connected() as one:
                await self._loop.sock_sendall(one, first)
                while True:
                    try:
                        async with asyncio.timeout(random.uniform(*DRIP_S)):
                            if not reads:  # It takes nothing, and never learns that it was closed.
                                await asyncio.sleep(60)
                            elif not await self._loop.sock_recv(one, 1024):
                                break
                    except TimeoutError:
                        await self._loop.sock_sendall(one, drip)
            await asyncio.sleep(random.uniform(*AGAIN_S))

    async def heavy(self) -> None:
        """Send a heavy body without a key, again and again."""
        asked = head("POST", CAMPAIGNS, Content_Length=HEAVY_BYTES, Content_Type="application/json")
        body = b"[" + b"[]," * (HEAVY_BYTES // 3)
        self.begun += 1
        while True:
            with contextlib.suppress(OSError), await self._connected() as one:
                await self._loop.sock_sendall(one, asked + body)
                await self._loop.sock_recv(one, 1024)
            await asyncio.sleep(0.05)

    async def busy(self) -> None:
        """Ask with a key as fast as there are answers."""
        asked = head("GET", f"{CAMPAIGNS}/{self._campaign}/progress", self._key)
        self.begun += 1
        while True:
            with contextlib.suppress(OSError), await self._connected() as one:
                await self._loop.sock_sendall(one, asked)
                while found := await self._loop.sock_recv(one, 65_536):
                    if found.endswith(b"}"):
                        await self._loop.sock_sendall(one, asked)
            await asyncio.sleep(0.05)

    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the slow kinds by name."""
        posted = head("POST", CAMPAIGNS, self._key, Content_Length=1000)
        chunked = head("POST", CAMPAIGNS, self._key, **CHUNKED)
        stranger = head("POST", CAMPAIGNS, None, Content_Length=1000)
        lists = head("GET", f"{CAMPAIGNS}?per_page=1000", self._key)
        monitor = head("GET", "/ws/campaigns/monitor", self._key, **UPGRADE)
        return {
            "nothing": lambda: self.slow(b"", b"", True),
            "head": lambda: self.slow(b"GET / HTTP/1.1\r\nX-A: ", b"b", True),
            "body": lambda: self.slow(posted, b" ", True),
            "body without a key": lambda: self.slow(stranger, b" ", True),
            "trailers": lambda: self.slow(chunked + b"2\r\n{}\r\n0\r\na: ", b"b", True),
            "answers not read": lambda: self.slow(
                lists * 3 + head("GET", "/openapi.json") * 9, b"", False
            ),
            "sockets": lambda: self.slow(monitor, b"", False),
        }


async def flood(port: int, key: str, campaign: int) -> None:
    """Flood until ended."""
    all_of_it = Flood(port, key, campaign)
    tasks = [asyncio.create_task(all_of_it.busy()) for _ in range(BUSY)]
    tasks += [asyncio.create_task(all_of_it.heavy()) for _ in range(HEAVY)]
    for hold in all_of_it.kinds().values():
        for _ in range(CROWD):
            tasks.append(asyncio.ensure_future(hold()))
            await asyncio.sleep(0.001)
    print(f"{all_of_it.begun} clients", flush=True)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for one in tasks:
        if one.done():
            one.result()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(10)  # Attackers are elsewhere: they take no time from what they attack.
    asyncio.run(flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
