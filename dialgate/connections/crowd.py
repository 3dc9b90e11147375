"""All connections of a process: how many, which of them wait for their clients, who makes room.

When there are as many as there may be, a newcomer takes the place of a connection that waits for
its client: of one that has had its last answer, else, of whoever has most connections (an
organization, or all strangers together), of the one that has waited longest. A newcomer itself
keeps its place until the loop has read from it once; when there is nobody but newcomers, those who
come next wait in the kernel's backlog. So a flood of slow clients displaces itself, with a key or
without, and who sends a request at once is served. No bytes in here.
"""

import asyncio
import fcntl
import sys
import termios
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from campaigns.process.observability import CLOSED, CONNECTIONS
from dialgate.connections.bounds import Bounds

LOOK_MAX_S = 1.0  # How often deadlines are looked at, at least.
# How many turns of the loop begin, at most, before a connection that has entered was read from:
# asyncio looks at it in the next one, and reads behind what that one has to do anyway.
TURNS = 3
ANSWERED = -1  # No organization: who had its last answer, and has not hung up yet.


SOCKETS = 0  # None either: they count by themselves, and make room only when they are stuck.


class Connection(Protocol):
    """What the crowd knows of one connection."""

    organization_id: int | None  # Whose key was shown on it last; None: a stranger's. Set here.

    @property
    def waits(self) -> bool:
        """Say whether it waits for its client; else it waits for us, and keeps its place."""

    def overdue(self, now_s: float) -> str | None:
        """Say which deadline has passed, if one has, and act on it."""

    def unsent_bytes(self) -> int:
        """Return how much of its answers its client has not taken."""

    def drop(self) -> None:
        """Close it at once; what was not sent is lost."""


class Unread:
    """How long a client has taken nothing of what it was sent."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._bytes, self._since_s = transport, 0, 0.0

    def stuck_s(self, now_s: float) -> float:
        """Look; return since when nothing has gone out, though something should."""
        left = self._transport.get_write_buffer_size()
        if left:
            left += _in_kernel(self._transport)
        if not left or left < self._bytes or not self._bytes:
            self._since_s = now_s
        self._bytes = left
        return now_s - self._since_s


def _in_kernel(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel has that the client has not acknowledged.

    They may be megabytes: a slow reader takes of these for long before it takes one of ours.
    """
    try:
        found = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError):  # Closed meanwhile, or a system that does not tell.
        return 0
    return int.from_bytes(found, sys.byteorder)


class Crowd:
    """The connections of one process."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.sockets = bounds, 0
        self._all: set[Connection] = set()
        # Of each organization, None for strangers: who has waited for its client longest is first.
        self._of: dict[int | None, OrderedDict[Connection, None]] = {}
        # Who has come in which turn of the loop, as long as it may not have been read from.
        self._unread: OrderedDict[Connection, int] = OrderedDict()
        self._turn, self._counting = 0, False
        self._unsent: OrderedDict[Connection, int] = OrderedDict()
        self._unsent_bytes = 0
        self._look_s = min(LOOK_MAX_S, bounds.body_idle_s / 4, bounds.head_s / 4)
        self._look: asyncio.TimerHandle | None = None

    @property
    def accepts(self) -> bool:
        """Say whether more may be accepted; else they wait in the backlog for a turn or two.

        So there are never more connections without a place than are accepted in those turns.
        """
        return len(self._unread) < self.bounds.unread_max

    def enter(self, one: Connection) -> bool:
        """Take a connection in; False when there is no room, and nobody who could make it.

        Where all who could make it are newcomers, it is over the bound by those of a few turns.
        """
        while len(self._all) >= self.bounds.connections_max and self._make_room():
            pass
        if len(self._all) >= self.bounds.connections_max and not self._unread:
            CLOSED.labels("refused").inc()
            return False
        self._all.add(one)
        self._of.setdefault(one.organization_id, OrderedDict())[one] = None
        self._unread[one] = self._turn
        self._count_turns()
        CONNECTIONS.set(len(self._all))
        if self._look is None:
            self._look_again()
        return True

    def _count_turns(self) -> None:
        """Count the loop's turns, each of them once, as long as there are newcomers."""
        if self._unread and not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        """Count a turn of the loop; who came some turns ago has been read from."""
        self._turn, self._counting = self._turn + 1, False
        while self._unread and self._turn - next(iter(self._unread.values())) >= TURNS:
            self._unread.popitem(last=False)
        self._count_turns()

    def leave(self, one: Connection) -> None:
        """Let go of a connection that is closed, or was never let in."""
        if one in self._all:
            self._all.remove(one)
            self._unread.pop(one, None)
            self._take_out(one)
            CONNECTIONS.set(len(self._all))
        self._unsent_bytes -= self._unsent.pop(one, 0)

    def waited(self, one: Connection) -> None:
        """Note that a connection begins to wait for its client: others have waited longer."""
        if one in self._all:
            self._of[one.organization_id].move_to_end(one)

    def belongs(self, one: Connection, organization_id: int) -> None:
        """Note whose key was shown on a connection, or that it has had its last answer."""
        if one in self._all:
            self._take_out(one)
            self._of.setdefault(organization_id, OrderedDict())[one] = None
        one.organization_id = organization_id

    def _take_out(self, one: Connection) -> None:
        of = self._of[one.organization_id]
        del of[one]
        if not of:
            del self._of[one.organization_id]

    def holds(self, one: Connection, unsent_bytes: int) -> None:
        """Note how much of an answer a client has not taken; the oldest go when it is too much."""
        self._unsent_bytes += unsent_bytes - self._unsent.get(one, 0)
        self._unsent[one] = unsent_bytes
        while self._unsent_bytes > self.bounds.unsent_max_bytes and len(self._unsent) > 1:
            oldest, held = self._unsent.popitem(last=False)
            self._unsent_bytes -= held
            CLOSED.labels("unsent").inc()
            oldest.drop()

    def _gives_way(self, whose: int | None) -> tuple[bool, int, bool]:
        """Return the order in which they give way: where two have as many, strangers do."""
        return whose != ANSWERED, -len(self._of[whose]), whose is not None

    def has_socket(self) -> bool:
        """Say whether one more may be a WebSocket; one that should be gone by now makes room."""
        return self.sockets < self.bounds.sockets_max or self._make_room([SOCKETS])

    def _make_room(self, among: Iterable[int | None] = ()) -> bool:
        for whose in among or sorted(self._of, key=self._gives_way):
            waiting = (
                one for one in self._of.get(whose, ()) if one.waits and one not in self._unread
            )
            if (one := next(waiting, None)) is not None:
                self.leave(one)  # Its descriptor is free by the time that more are accepted.
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
                self.holds(one, left)
            else:
                self._unsent_bytes -= self._unsent.pop(one, 0)
        if self._all:
            self._look_again()
