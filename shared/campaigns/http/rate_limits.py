"""Rate limits of keys and addresses: token buckets, per process. Pure except for the clock."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.domain.api_keys import Caller
from campaigns.http.shares import Shares

MINUTE_S = 60.0
BURST_S = 10.0  # So much of a minute's allowance may come at once.
KEPT_MAX = 10_000  # Buckets: there are fewer keys, but any number of addresses.
WRONG_KEYS_PER_MINUTE = 600
REQUESTS_PER_ORGANIZATION_MAX, REQUESTS_PER_KEY_MAX = 256, 128


@dataclass
class Buckets:
    """Token buckets of the keys or addresses that sent requests most recently."""

    monotonic: Callable[[], float]
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)  # Who → tokens, when.

    def wait_s(self, who: str, per_minute: int) -> int:
        """Take a token and return 0; without one, return how many whole seconds to wait."""
        now, full = self.monotonic(), max(1.0, per_minute * BURST_S / MINUTE_S)
        tokens, since = self._left.pop(who, (full, now))
        tokens = min(full, tokens + (now - since) * per_minute / MINUTE_S)
        if len(self._left) >= KEPT_MAX:
            del self._left[next(iter(self._left))]  # The least recently used.
        self._left[who] = (tokens if tokens < 1.0 else tokens - 1.0, now)
        return math.ceil((1.0 - tokens) * MINUTE_S / per_minute) if tokens < 1.0 else 0


@dataclass
class RateLimits:
    """The limits on requests per minute and in progress. Source: contract 7.3 and 9.14."""

    monotonic: Callable[[], float]
    per_minute: int | None  # For keys without a limit of their own. None: unlimited.
    wrong_per_minute: int = WRONG_KEYS_PER_MINUTE  # From one address.
    at_once: Shares = field(
        default_factory=lambda: Shares(REQUESTS_PER_ORGANIZATION_MAX, REQUESTS_PER_KEY_MAX)
    )

    def __post_init__(self) -> None:
        self._keys, self._addresses = Buckets(self.monotonic), Buckets(self.monotonic)

    def wait_s(self, caller: Caller) -> int:
        """Count a request and return 0; over the limit, return how many whole seconds to wait."""
        limit = caller.rate_per_minute or self.per_minute
        return 0 if limit is None else self._keys.wait_s(caller.key_hash, limit)

    def wrong_wait_s(self, address: str) -> int:
        """Count a request without a known key; return 0, or how many whole seconds to wait."""
        return self._addresses.wait_s(address, self.wrong_per_minute)
