"""All that the dialer knows: its half of the fold, its calls, its queues, its alarms. Pure."""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.carrier_refusals import LIMITS, Limits
from dialer.calls.call import Call
from dialer.calls.call_states import Logged, Use
from dialer.calls.doubts import Doubts
from dialer.decisions.pacing import Window
from dialer.reactor.queue import CampaignQueue, ContactIndex


@dataclass(frozen=True, slots=True)
class Terms:
    """What the reactor must know of settings and carrier. Times in seconds."""

    carrier: str | None  # Its id.
    lease_s: float
    carrier_timeout_s: float
    refuses_late: bool
    clocks_agree: bool
    lookup_lag_s: float | None
    silence_s: float
    placing_max: int
    resend_s: float
    resend_max_s: float
    recover_poll_s: float
    schedule_grace_s: float = 3600.0
    unplaced: Limits = LIMITS


@dataclass(frozen=True, slots=True)
class Undecided:
    """What was raised when something was to be decided, or recorded, about one call."""

    call_id: str
    campaign_id: int
    contact_id: int
    failure: Exception


@dataclass
class State:
    """All that the dialer knows. The fold's part is only read here."""

    terms: Terms
    campaigns: Campaigns
    index: ContactIndex
    partitions: int
    new_id: Callable[[], str]
    window: Window
    calls: dict[str, Call] = field(default_factory=dict)  # By call id.
    closed: OrderedDict[str, Call] = field(default_factory=OrderedDict)
    doubts: Doubts = field(default_factory=Doubts)
    queues: dict[int, CampaignQueue] = field(default_factory=dict)
    offers: dict[str, str | int] = field(default_factory=dict)  # Record id → call or campaign id.
    asking: set[str] = field(default_factory=set)  # Calls asked for, in time to be read back.
    placing: set[str] = field(default_factory=set)  # Calls permitted or handed, not answered.
    working: frozenset[int] = frozenset()
    stopping: bool = False
    answered_at: float | None = None  # When the carrier last answered what can be used.
    undecided: list[Undecided] = field(default_factory=list)  # For the shell to tell.
    calls_due: set[str] = field(default_factory=set)  # To be looked at before react returns.
    campaigns_due: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)  # Campaigns that wait for room of us all.
    _alarms: dict[str | int, float] = field(default_factory=dict)  # Who → earliest, by boottime.
    _heap: list[tuple[float, bool, str | int]] = field(default_factory=list)

    def declare(self, terms: Terms) -> None:
        """Take what the carrier says of itself now: it holds from the next permission on.

        Open permissions keep what they were given, except where the carrier has become weaker.
        """
        self.terms = terms
        for call in (*self.calls.values(), *self.closed.values()):
            self._weaken(call)

    def add(self, call: Call) -> Call:
        """Take a call in, on the weaker of its permission's terms and the carrier's own."""
        call.lag_s = 0.0
        self._weaken(call)
        self.calls[call.call_id] = call
        return call

    def _weaken(self, call: Call) -> None:
        lag_s = self.terms.lookup_lag_s
        call.refuses_late = call.refuses_late and self.terms.refuses_late
        call.lag_s = None if call.lag_s is None or lag_s is None else max(call.lag_s, lag_s)

    def cannot_decide(self, call: Call, failure: Exception) -> None:
        """Have the shell tell that one call is in trouble, or beyond it."""
        self.undecided.append(Undecided(call.call_id, call.campaign_id, call.contact_id, failure))

    def forget(self, record_id: str) -> None:
        """Forget a record of ours that was never read back; a request was given up long ago."""
        self.offers.pop(record_id, None)
        call = self.calls.get(record_id)
        if call and call.logged is Logged.ASKED and call.use is Use.GIVEN_UP:
            del self.calls[record_id]

    def queue(self, campaign_id: int) -> CampaignQueue:
        """Return a campaign's queue."""
        if (queue := self.queues.get(campaign_id)) is None:
            queue = self.queues[campaign_id] = CampaignQueue()
        return queue

    def works(self, campaign_id: int) -> bool:
        """Say whether this dialer works the campaign's partition."""
        return campaign_id % self.partitions in self.working

    def room(self) -> int:
        """Return how many more permissions carrier and log have room for, all campaigns taken."""
        return min(
            self.terms.placing_max - len(self.asking) - len(self.placing),
            int(self.window.size) - len(self.asking),
        )

    def wake(self, at: float, who: str | int) -> None:
        """Look at a call (by id) or a campaign again, at `at` (CLOCK_BOOTTIME) or before."""
        if at < self._alarms.get(who, float("inf")):
            self._alarms[who] = at
            heapq.heappush(self._heap, (at, isinstance(who, str), who))

    def ring_alarms(self, boot: float) -> None:
        """Mark all whose time has come."""
        while self._heap and self._heap[0][0] <= boot:
            at, _, who = heapq.heappop(self._heap)
            if self._alarms.get(who) != at:
                continue  # Replaced by an earlier one, which has rung.
            del self._alarms[who]
            if isinstance(who, int):
                self.campaigns_due.add(who)
            else:
                self.calls_due.add(who)

    def wake_at(self) -> float | None:
        """Return when the next Woken is due, as CLOCK_BOOTTIME."""
        alarm_at, round_at = self._heap[0][0] if self._heap else None, self.doubts.round_at
        if alarm_at is None or round_at is None:
            return round_at if alarm_at is None else alarm_at
        return min(alarm_at, round_at)

    def patience(self, call: Call) -> float:
        """Return how long a resolution of a call is waited for, seconds: longer each time."""
        return float(min(self.terms.resend_s * 2**call.offers, self.terms.resend_max_s))
