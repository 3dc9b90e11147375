"""What an HTTP connection waits for, and for how long it may. Pure."""

from enum import Enum, auto

from dialgate.connections.bounds import Bounds


class Phase(Enum):
    """What a connection waits for."""

    NEW = auto()  # The client's first byte.
    HEAD = auto()  # The rest of a request's line and headers.
    BODY = auto()  # The rest of a body, and its trailers.
    ANSWER = auto()  # The server.
    IDLE = auto()  # Another request.
    LINGER = auto()  # The client to read an answer that was sent before its body was complete.

    def late(self, waited_s: float, still_s: float, bounds: Bounds) -> str:
        """Return what has taken too long, as text for the client; empty: nothing has.

        `still_s`: how long nothing has arrived of a body that the server would read.
        """
        match self:
            case Phase.NEW | Phase.HEAD if waited_s > bounds.head_s:
                return f"The headers took over {bounds.head_s:g} s"
            case Phase.BODY if waited_s > bounds.body_s:
                return f"The body took over {bounds.body_s:g} s"
            case Phase.BODY if still_s > bounds.body_idle_s:
                return f"Nothing of the body arrived in {bounds.body_idle_s:g} s"
            case Phase.IDLE if waited_s > bounds.idle_s + 1:  # uvicorn's own timer is first.
                return f"No request arrived in {bounds.idle_s:g} s"
            case Phase.LINGER if waited_s > bounds.linger_s:
                return f"It did not close in {bounds.linger_s:g} s"
        return ""
