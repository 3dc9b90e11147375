"""The barrier: wait until every permission before a position is resolved or has expired.

A permission expires by the terms in its own record, counted from the instant at which this process
folded it. That is never too early, because it was sent before it was read. After a restart the wait
starts over, because no instant is stored (architecture "The strict pause", 4).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import AnyCallFact, CallAbandoned, CallEnded, CallRequested, CallStarted
from campaigns.process.clock import Clock


@dataclass(frozen=True, slots=True)
class Settled:
    """How long the barrier was waited for, and what became of the permissions."""

    settled_in_ms: float
    permissions_abandoned: int


@dataclass(slots=True, eq=False)
class _Wait:
    open: set[str]  # Call ids not resolved yet.
    passed: asyncio.Future[None]
    abandoned: int = 0


@dataclass
class Barrier:
    """The instant at which each open permission was folded, and the commands that wait for them."""

    clock: Clock
    _folded_at: dict[tuple[int, str], float] = field(
        default_factory=dict
    )  # Campaign, call id → monotonic seconds.
    _waits: dict[int, list[_Wait]] = field(default_factory=dict)  # By campaign id.

    def restored(self, campaigns: Iterable[Campaign]) -> None:
        """Count the permissions of a checkpoint as folded now: the wait starts over."""
        now = self.clock.monotonic()
        for campaign in campaigns:
            for call in campaign.permissions():
                self._folded_at[campaign.campaign_id, call.call_id] = now

    def fold(self, fact: AnyCallFact) -> None:
        """Fold one accepted call fact."""
        match fact:
            case CallRequested():
                self._folded_at[fact.campaign_id, fact.call_id] = self.clock.monotonic()
            case CallStarted() | CallAbandoned() | CallEnded():
                if self._folded_at.pop((fact.campaign_id, fact.call_id), None) is not None:
                    self._resolved(fact)
            case _:
                return  # CallLate resolves nothing.

    def _resolved(self, fact: AnyCallFact) -> None:
        for wait in self._waits.get(fact.campaign_id, ()):
            if fact.call_id in wait.open:
                wait.open.discard(fact.call_id)
                wait.abandoned += isinstance(fact, CallAbandoned)
                if not wait.open and not wait.passed.done():
                    wait.passed.set_result(None)

    async def passed(self, campaign: Campaign, position: int) -> Settled:
        """Wait until no permission accepted before `position` can become a ring.

        Call it once the fold has reached `position`. It returns at once when none is open, else
        when all are resolved, or the lease and carrier timeout of each have passed.
        """
        began = self.clock.monotonic()
        waited = [call for call in campaign.permissions() if call.position < position]
        if not waited:
            return Settled(0.0, 0)
        over_at = max(
            self._folded_at[campaign.campaign_id, call.call_id]
            + call.lease_s
            + call.carrier_timeout_s
            for call in waited
        )
        loop = asyncio.get_running_loop()
        wait = _Wait({call.call_id for call in waited}, loop.create_future())
        waits = self._waits.setdefault(campaign.campaign_id, [])
        waits.append(wait)
        try:
            async with asyncio.timeout(max(0.0, over_at - began)):
                await wait.passed
        except TimeoutError:
            pass  # Every lease and carrier timeout has passed: no permission can become a ring.
        finally:
            waits.remove(wait)
            if not waits:
                self._waits.pop(campaign.campaign_id, None)
        return Settled((self.clock.monotonic() - began) * 1000, wait.abandoned)
