"""How many calls a campaign may request now: a token bucket, folded from the log. Pure.

Even: the burst is one second's worth (whole, at least 1), refilled at limit - burst + 1 a minute,
so that the limit holds in any sliding minute of CallRequested times.
Source: architecture "Pacing"; contract 9.18.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE_S = 60.0


def burst(calls_per_minute: int) -> int:
    """Return how many calls may be requested at one instant."""
    return max(1, calls_per_minute // 60)


def refill_per_s(calls_per_minute: int) -> float:
    """Return how many tokens are refilled each second."""
    return (calls_per_minute - burst(calls_per_minute) + 1) / MINUTE_S


@dataclass(slots=True)
class Bucket:
    """Tokens left as of an instant. Full before the first request."""

    tokens: float = 0.0
    at: float | None = None  # Unix time. None: no request yet, and the bucket is full.

    def left(self, calls_per_minute: int, now: datetime) -> float:
        """Return the tokens left at `now`; a clock that was set back a little refills nothing.

        After a step back of more than a minute the bucket is full: else no call would be requested
        until the clock is as late again. No sliding minute holds requests of both times.
        """
        full = float(burst(calls_per_minute))
        if self.at is None or (passed_s := now.timestamp() - self.at) < -MINUTE_S:
            return full
        if passed_s <= 0:
            return self.tokens
        return min(full, self.tokens + passed_s * refill_per_s(calls_per_minute))

    def spend(self, calls_per_minute: int, requested_at: datetime) -> None:
        """Fold one accepted CallRequested: one token less than `left`.

        `left` is written out here: every reader folds one of these for each call of the log.
        """
        at, full = requested_at.timestamp(), calls_per_minute // 60 or 1
        if self.at is None or at < self.at - MINUTE_S:
            self.tokens, self.at = full - 1.0, at
            return
        tokens = self.tokens
        if at > self.at:
            tokens += (at - self.at) * (calls_per_minute - full + 1) / MINUTE_S
            self.at = at
        self.tokens = (min(full, tokens)) - 1.0

    def next_at(self, calls_per_minute: int, now: datetime, waiting: int) -> datetime:
        """Return when there are tokens for one request more than `waiting`, once these are spent.

        Before the instant of the last request, by another clock or this one, nothing is refilled.
        """
        lacking = waiting + 1 - self.left(calls_per_minute, now)
        if lacking <= 0:
            return now
        ahead_s = 0.0 if self.at is None else self.at - now.timestamp()
        rest_s = ahead_s if 0.0 < ahead_s <= MINUTE_S else 0.0
        return now + timedelta(seconds=rest_s + lacking / refill_per_s(calls_per_minute))
