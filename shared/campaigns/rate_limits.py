"""How often a key may ask: a token bucket a key, in each process. Pure but for the clock."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.api_keys import Caller

MINUTE_S = 60.0
BURST_S = 10.0  # How much of a minute's allowance may come at once.


@dataclass
class RateLimits:
    """The buckets of one process. Source: public contract, 7.3 and 'decided' 14."""

    monotonic: Callable[[], float]
    per_minute: int | None  # Of keys without a limit of their own. None: none.
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)  # Key → tokens, as of.

    def wait_s(self, caller: Caller) -> int:
        """Count a request; return 0, or how many whole seconds it must wait: it does not count."""
        limit = caller.rate_per_minute or self.per_minute
        if limit is None:
            return 0
        now, full = self.monotonic(), max(1.0, limit * BURST_S / MINUTE_S)
        tokens, since = self._left.get(caller.key_hash, (full, now))
        tokens = min(full, tokens + (now - since) * limit / MINUTE_S)
        if tokens < 1.0:
            self._left[caller.key_hash] = (tokens, now)
            return math.ceil((1.0 - tokens) * MINUTE_S / limit)
        self._left[caller.key_hash] = (tokens - 1.0, now)
        return 0
