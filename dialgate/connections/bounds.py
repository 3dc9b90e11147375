"""How much of a process its clients may hold, and for how long: connections, bytes, seconds.

ADR-0020 says in which order they apply to a request, and why they have these values.
"""

import resource
from dataclasses import dataclass

from dialgate.settings import ProcessSettings

DESCRIPTORS_A_CONNECTION = 2  # Its socket, and the file of an upload.
CONNECTIONS_MIN = 8  # Fewer are of no use.


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process allows all of its clients together, and each of their connections."""

    head_max_bytes: int = 64 * 1024  # Of a request's line and headers, and of its trailers.
    fields_max: int = 256  # Headers of a request, or trailers.
    pipelined_max: int = 32  # Requests of one connection that wait for an earlier answer.
    head_s: float = 30.0  # How long the head of a request may take to arrive.
    body_s: float = 900.0  # How long a body may take to arrive …
    body_idle_s: float = 20.0  # … and the longest pause within it.
    answer_idle_s: float = 20.0  # How long a client may read nothing of its answer.
    idle_s: float = 5.0  # How long a connection may rest between two requests.
    linger_s: float = 2.0  # How long a body is discarded after an early answer.
    connections_max: int = 2048  # At once.
    messages_max: int = 256  # Of a WebSocket's client, unprocessed; frames of one message, too.
    pongs_max_bytes: int = 2**20  # Unread by a WebSocket's client that goes on sending.
    unsent_max_bytes: int = 64 * 2**20  # All answers that clients have not read yet.

    @property
    def newcomers_max(self) -> int:
        """Return the number of unread newcomers at which no more connections are accepted."""
        return max(1, self.connections_max // 2)

    @property
    def sockets_max(self) -> int:
        """Return how many connections may be WebSockets: half, since they last."""
        return self.connections_max // 2


def bounds_of(settings: ProcessSettings, head_max_bytes: int, *, kept: int = 0) -> Bounds:
    """Return a process's bounds, within the file descriptors that it may open.

    `kept`: descriptors that it needs in addition to DIALGATE_DESCRIPTORS_KEPT, for its carrier.

    Raises:
        OSError: the system allows too few.

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
    """Raise this process's limit of open files to the hard limit; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2**20 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
