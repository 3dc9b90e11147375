"""How long anything holds the event loop: meanwhile no request, and no pause, is answered.

Measured as the lateness of a timer, every LOOK_S, which is its resolution. A process that gets no
processor time is late too; neither it nor its clients can tell the two apart.
"""

import asyncio
import logging
from typing import NoReturn

from prometheus_client import Histogram

from campaigns.process.metrics import REGISTRY
from campaigns.process.observability import QUIET_S

LOOK_S = 0.01
HOLD_MAX_S = 0.02  # Long work is cut into slices of this.
HOLD_WARN_S = 0.2  # Far above it: clients notice.
HOLD_S = Histogram(
    "dialgate_loop_hold_seconds", "How late the event loop came to a timer.", registry=REGISTRY,
    buckets=(0.002, 0.005, 0.01, HOLD_MAX_S, 0.05, 0.1, HOLD_WARN_S, 0.5, 1, 2, 5, 10, 30),
)  # fmt: skip

logger = logging.getLogger(__name__)


async def measure() -> NoReturn:
    """Measure until cancelled; warn of the longest hold, at most once in QUIET_S."""
    loop = asyncio.get_running_loop()
    quiet_until, longest_s = loop.time(), 0.0
    while True:
        due = loop.time() + LOOK_S
        await asyncio.sleep(LOOK_S)
        now = loop.time()
        late_s = max(0.0, now - due)
        HOLD_S.observe(late_s)
        longest_s = max(longest_s, late_s)
        if now >= quiet_until:
            if longest_s >= HOLD_WARN_S:
                logger.warning("the event loop was held for %.2f s", longest_s)
                quiet_until = now + QUIET_S
            longest_s = 0.0
