"""All connections of a process: how many, which wait for their clients, which one makes room.

When all places are taken, a newcomer displaces a connection that waits for its client: one that has
had its last answer, or else the one that has waited longest among those of the organization (or all
clients without a key) that has the most connections. A newcomer keeps its place until the loop has
read from it once; when there are only newcomers, further connections wait in the kernel's backlog.
So a flood of slow clients displaces itself, with a key or without, and a client that sends its
request at once is served. This module handles no bytes.
"""

import asyncio
import fcntl
import sys
import termios
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from campaigns.process.metrics import CLOSED, CONNECTIONS
from dialgate.connections.bounds import Bounds

LOOK_MAX_S = 1.0  # How often deadlines are looked at, at least.
# The turns of the loop that begin, at most, before a new connection has been read from: asyncio
# polls it in the next turn, and reads after that turn's other callbacks.
TURNS = 3
ANSWERED = -1  # Not an organization: connections that had their last answer and are still open.
SOCKETS = 0  # Nor is this: WebSockets are counted apart, and make room only when they stall.


class ClientConnection(Protocol):
    """What the crowd knows of one connection."""

    organization_id: int | None  # Of the last key it showed; None: it showed none. Set here.

    @property
    def waits(self) -> bool:
        """Say whether it waits for its client; if it waits for the server, it keeps its place."""

    def overdue(self, now_s: float) -> str | None:
        """Return which deadline has passed, if any, and act on it."""

    def unsent_bytes(self) -> int:
        """Return how much of its answers its client has not read."""

    def drop(self) -> None:
        """Close it at once; what was not sent is lost."""


class Stall:
    """What a client has not read yet, and how long it has read nothing."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._bytes, self._since_s = transport, 0, 0.0

    def lasts_s(self, now_s: float) -> float:
        """Look, and return for how long nothing was read although something is there."""
        left = self._transport.get_write_buffer_size()
        if left:
            left += _in_kernel(self._transport)
        if not left or left < self._bytes or not self._bytes:
            self._since_s = now_s
        self._bytes = left
        return now_s - self._since_s


def _in_kernel(transport: asyncio.Transport) -> int:
    """Return how many sent bytes the client has not acknowledged.

    They may be megabytes, which a slow client reads before any byte of our own buffer.
    """
    try:
        found = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError):  # Closed meanwhile, or unknown on this system.
        return 0
    return int.from_bytes(found, sys.byteorder)


class Crowd:
    """The connections of one process."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.sockets = bounds, 0
        self._all: set[ClientConnection] = set()
        # By organization (None: without a key), longest wait for a client first.
        self._of: dict[int | None, OrderedDict[ClientConnection, None]] = {}
        # In which turn of the loop each came, while it may not have been read from.
        self._newcomers: OrderedDict[ClientConnection, int] = OrderedDict()
        self._turn, self._counting = 0, False
        self._unsent: OrderedDict[ClientConnection, int] = OrderedDict()
        self._unsent_bytes = 0
        self._look_s = min(LOOK_MAX_S, bounds.body_idle_s / 4, bounds.head_s / 4)
        self._look: asyncio.TimerHandle | None = None

    @property
    def accepts(self) -> bool:
        """Say whether more may be accepted; if not, they wait in the backlog for a turn or two.

        So connections without a place are never more than those accepted in these turns.
        """
        return len(self._newcomers) < self.bounds.newcomers_max

    def enter(self, one: ClientConnection) -> bool:
        """Register a connection; False when no connection can make room for it.

        While only newcomers could, the bound is exceeded by those of a few turns.
        """
        while len(self._all) >= self.bounds.connections_max and self._make_room():
            pass
        if len(self._all) >= self.bounds.connections_max and not self._newcomers:
            CLOSED.labels("refused").inc()
            return False
        self._all.add(one)
        self._of.setdefault(one.organization_id, OrderedDict())[one] = None
        self._newcomers[one] = self._turn
        self._count_turns()
        CONNECTIONS.set(len(self._all))
        if self._look is None:
            self._look_again()
        return True

    def _count_turns(self) -> None:
        """Count the loop's turns, each of them once, as long as there are newcomers."""
        if self._newcomers and not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        """Count a turn of the loop; connections of some turns ago have been read from."""
        self._turn, self._counting = self._turn + 1, False
        while self._newcomers and self._turn - next(iter(self._newcomers.values())) >= TURNS:
            self._newcomers.popitem(last=False)
        self._count_turns()

    def leave(self, one: ClientConnection) -> None:
        """Forget a connection that is closed, or was never registered."""
        if one in self._all:
            self._all.remove(one)
            self._newcomers.pop(one, None)
            self._take_out(one)
            CONNECTIONS.set(len(self._all))
        self._unsent_bytes -= self._unsent.pop(one, 0)

    def begins_to_wait(self, one: ClientConnection) -> None:
        """Note that a connection begins to wait for its client, last of all."""
        if one in self._all:
            self._of[one.organization_id].move_to_end(one)

    def assign(self, one: ClientConnection, organization_id: int) -> None:
        """Assign a connection to the owner of its key, or to those with their last answer."""
        if one in self._all:
            self._take_out(one)
            self._of.setdefault(organization_id, OrderedDict())[one] = None
        one.organization_id = organization_id

    def _take_out(self, one: ClientConnection) -> None:
        of = self._of[one.organization_id]
        del of[one]
        if not of:
            del self._of[one.organization_id]

    def note_unsent(self, one: ClientConnection, unsent_bytes: int) -> None:
        """Note how much of an answer a client has not read; drop the oldest above the bound."""
        self._unsent_bytes += unsent_bytes - self._unsent.get(one, 0)
        self._unsent[one] = unsent_bytes
        while self._unsent_bytes > self.bounds.unsent_max_bytes and len(self._unsent) > 1:
            oldest, held = self._unsent.popitem(last=False)
            self._unsent_bytes -= held
            CLOSED.labels("unsent").inc()
            oldest.drop()

    def _gives_way(self, whose: int | None) -> tuple[bool, int, bool]:
        """Return the sort key by which owners give way; on a tie, clients without a key first."""
        return whose != ANSWERED, -len(self._of[whose]), whose is not None

    def has_socket(self) -> bool:
        """Say whether one more may be a WebSocket; a stalled one makes room."""
        return self.sockets < self.bounds.sockets_max or self._make_room([SOCKETS])

    def _make_room(self, among: Iterable[int | None] = ()) -> bool:
        for whose in among or sorted(self._of, key=self._gives_way):
            waiting = (
                one for one in self._of.get(whose, ()) if one.waits and one not in self._newcomers
            )
            if (one := next(waiting, None)) is not None:
                self.leave(one)  # Its descriptor is free before more are accepted.
                CLOSED.labels("crowded").inc()
                one.drop()
                return True
        return False

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._look_s, self._look_at_all, loop)

    def _look_at_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s, self._look = loop.time(), None
        for one in list(self._all):
            if why := one.overdue(now_s):
                CLOSED.labels(why).inc()
        for one in list(self._unsent):
            if left := one.unsent_bytes():
                self.note_unsent(one, left)
            else:
                self._unsent_bytes -= self._unsent.pop(one, 0)
        if self._all:
            self._look_again()
