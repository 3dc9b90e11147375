"""How often somebody may ask: token buckets, in each process. Pure but for the clock."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.domain.api_keys import Caller
from campaigns.http.shares import Shares

MINUTE_S = 60.0
BURST_S = 10.0  # How much of a minute's allowance may come at once.
KEPT_MAX = 10_000  # Buckets: there are fewer keys, but addresses are without number.
WRONG_KEYS_PER_MINUTE = 600
REQUESTS_PER_ORGANIZATION_MAX, REQUESTS_PER_KEY_MAX = 256, 128


@dataclass
class Buckets:
    """A bucket each, of those who asked last."""

    monotonic: Callable[[], float]
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)  # Who → tokens, as of.

    def wait_s(self, who: str, per_minute: int) -> int:
        """Count one; return 0, or how many whole seconds to wait: then it does not count."""
        now, full = self.monotonic(), max(1.0, per_minute * BURST_S / MINUTE_S)
        tokens, since = self._left.pop(who, (full, now))
        tokens = min(full, tokens + (now - since) * per_minute / MINUTE_S)
        if len(self._left) >= KEPT_MAX:
            del self._left[next(iter(self._left))]  # Who asked longest ago.
        self._left[who] = (tokens if tokens < 1.0 else tokens - 1.0, now)
        return math.ceil((1.0 - tokens) * MINUTE_S / per_minute) if tokens < 1.0 else 0


@dataclass
class RateLimits:
    """How often keys may ask, and how much at once. Source: public contract, 7.3, 'decided' 14."""

    monotonic: Callable[[], float]
    per_minute: int | None  # Of keys without a limit of their own. None: none.
    wrong_per_minute: int = WRONG_KEYS_PER_MINUTE  # Of one address.
    at_once: Shares = field(
        default_factory=lambda: Shares(REQUESTS_PER_ORGANIZATION_MAX, REQUESTS_PER_KEY_MAX)
    )

    def __post_init__(self) -> None:
        self._keys, self._addresses = Buckets(self.monotonic), Buckets(self.monotonic)

    def wait_s(self, caller: Caller) -> int:
        """Count a request; return 0, or how many whole seconds it must wait: it does not count."""
        limit = caller.rate_per_minute or self.per_minute
        return 0 if limit is None else self._keys.wait_s(caller.key_hash, limit)

    def wrong_wait_s(self, address: str) -> int:
        """Count a request without a key that is known; return 0, or how long to wait, seconds."""
        return self._addresses.wait_s(address, self.wrong_per_minute)
