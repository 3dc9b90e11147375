"""How much of a process its clients may hold, and for how long: connections, bytes, seconds.

ADR-0020 says in which order a request meets these, and why they are what they are.
"""

import resource
from dataclasses import dataclass

from dialgate.settings import ProcessSettings

DESCRIPTORS_A_CONNECTION = 2  # Its socket, and the file of an upload.
CONNECTIONS_MIN = 8  # Fewer serve nobody.


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process allows all of its clients together, and each of their connections."""

    head_max_bytes: int = 64 * 1024  # Of a request's line and headers; of its trailers too.
    fields_max: int = 256  # Headers of a request, or trailers.
    pipelined_max: int = 32  # Requests of a connection that wait for the first one's answer.
    head_s: float = 30.0  # How long a head may take to come.
    body_s: float = 900.0  # How long a body may take to come …
    body_idle_s: float = 20.0  # … and how long nothing of it may come.
    answer_idle_s: float = 20.0  # How long a client may take nothing of what it was sent.
    idle_s: float = 5.0  # How long a connection may rest between two requests.
    linger_s: float = 2.0  # How long a client that was answered early is listened to, unheard.
    connections_max: int = 2048  # At once.
    messages_max: int = 256  # Of a socket's client, that wait for us; pieces of one, too.
    pongs_max_bytes: int = 2**20  # That a socket's client does not take, though it goes on sending.
    unsent_max_bytes: int = 64 * 2**20  # Answers that their clients do not take, all together.

    @property
    def unread_max(self) -> int:
        """Return how many newcomers that were not read from yet keep more from being accepted."""
        return max(1, self.connections_max // 2)

    @property
    def sockets_max(self) -> int:
        """Return how many connections may be WebSockets: they last, and leave others their half."""
        return self.connections_max // 2


def bounds_of(settings: ProcessSettings, head_max_bytes: int, *, kept: int = 0) -> Bounds:
    """Return a process's bounds, within the descriptors that it may have.

    `kept`: descriptors that it needs besides DIALGATE_DESCRIPTORS_KEPT, for calls to a carrier.

    Raises:
        OSError: the system lets the process have too few.

    """
    allowed, kept = descriptors(), kept + settings.descriptors_kept
    most = (allowed - kept) // DESCRIPTORS_A_CONNECTION
    if most < CONNECTIONS_MIN:
        needed = kept + CONNECTIONS_MIN * DESCRIPTORS_A_CONNECTION
        raise OSError(
            f"expected to be allowed at least {needed} open files, found {allowed}:"
            " raise it (ulimit -n), or lower DIALGATE_DESCRIPTORS_KEPT"
        )
    return Bounds(
        head_max_bytes=head_max_bytes,
        head_s=settings.head_s,
        body_s=settings.body_s,
        body_idle_s=settings.body_idle_s,
        answer_idle_s=settings.answer_idle_s,
        idle_s=settings.idle_s,
        connections_max=min(settings.connections_max, most),
        unsent_max_bytes=settings.unsent_max_mb * 2**20,
    )


def descriptors() -> int:
    """Raise the number of files that this process may open as far as it may; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2**20 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
