"""Random ids, made many at a time.

Asking the system for random bytes lets go of the interpreter's lock: while another thread works
(the embedded log's does), each of several ids of a command waited tens of microseconds for it.
"""

import os
from collections import deque

AT_ONCE = 256
BYTES = 16
_VARIANT = "89ab"  # Source: RFC 9562, 4.1.

_ready = deque[str]()
os.register_at_fork(after_in_child=_ready.clear)  # No two processes hand out the same ids.


def random_id() -> str:
    """Return a UUID of version 4, as 32 hexadecimal digits. From any thread."""
    try:
        return _ready.pop()
    except IndexError:
        return _more()


def _more() -> str:
    digits = os.urandom(AT_ONCE * BYTES).hex()
    length = 2 * BYTES
    found = [_marked(digits[at : at + length]) for at in range(0, len(digits), length)]
    _ready.extend(found[1:])
    return found[0]


def _marked(digits: str) -> str:
    return f"{digits[:12]}4{digits[13:16]}{_VARIANT[int(digits[16], 16) % 4]}{digits[17:]}"
