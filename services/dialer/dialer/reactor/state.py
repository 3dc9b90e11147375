"""The dialer's state: the fold, its calls, queues and alarms. Pure."""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.carrier_refusals import LIMITS, RefusalLimits
from campaigns.domain.decider import Rejected
from campaigns.gates.room import DialerRoom
from dialer.calls.call import Call
from dialer.calls.call_states import Logged, Use
from dialer.calls.rechecks import Rechecks
from dialer.decisions.window import Window
from dialer.reactor.queue import CampaignQueue, ContactIndex


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings and carrier's terms that the reactor uses. Times in seconds."""

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
    unplaced: RefusalLimits = LIMITS


@dataclass(frozen=True, slots=True)
class Undecided:
    """An exception raised while one call was decided on or recorded."""

    call_id: str
    campaign_id: int
    contact_id: int
    failure: Exception


@dataclass
class State:
    """The dialer's state. The reactor only reads the fold's part."""

    terms: Terms
    campaigns: Campaigns
    index: ContactIndex
    partitions: int
    new_id: Callable[[], str]
    window: Window
    calls: dict[str, Call] = field(default_factory=dict)  # By call id.
    # Why a campaign's contacts cannot be read; None: they can.
    unread: Callable[[Campaign], str | None] = lambda campaign: None
    closed: OrderedDict[str, Call] = field(default_factory=OrderedDict)
    rechecks: Rechecks = field(default_factory=Rechecks)
    queues: dict[int, CampaignQueue] = field(default_factory=dict)
    offers: dict[str, str | int] = field(default_factory=dict)  # Record id → call or campaign id.
    asking: set[str] = field(
        default_factory=set
    )  # Calls requested, within their lease, not read back.
    placing: set[str] = field(default_factory=set)  # Calls permitted or placed, not answered.
    working: frozenset[int] = frozenset()
    stopping: bool = False
    answered_at: float | None = None  # When the carrier last gave a usable answer.
    undecided: list[Undecided] = field(default_factory=list)  # For the shell to log.
    calls_due: set[str] = field(default_factory=set)  # To be advanced before `react` returns.
    campaigns_due: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)  # Campaigns that wait for `room`.
    # The running campaigns that this dialer works, by id: the first shut gate.
    idle: dict[int, Rejected] = field(default_factory=dict)
    _alarms: dict[str | int, float] = field(default_factory=dict)  # Who → earliest, by boottime.
    _heap: list[tuple[float, bool, str | int]] = field(default_factory=list)

    def declare(self, terms: Terms) -> None:
        """Take the carrier's present terms: they hold for permissions requested later.

        Open permissions keep their own terms, except where the carrier's have become weaker.
        """
        self.terms = terms
        for call in (*self.calls.values(), *self.closed.values()):
            self._weaken(call)

    def add(self, call: Call) -> Call:
        """Add a call, on the weaker of its permission's terms and the carrier's."""
        call.lag_s = 0.0
        self._weaken(call)
        self.calls[call.call_id] = call
        return call

    def _weaken(self, call: Call) -> None:
        lag_s = self.terms.lookup_lag_s
        call.refuses_late = call.refuses_late and self.terms.refuses_late
        call.lag_s = None if call.lag_s is None or lag_s is None else max(call.lag_s, lag_s)

    def cannot_decide(self, call: Call, failure: Exception) -> None:
        """Have the shell log that a call could not be decided on."""
        self.undecided.append(Undecided(call.call_id, call.campaign_id, call.contact_id, failure))

    def forget(self, record_id: str) -> None:
        """Forget an offered record that was never read back."""
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
        """Return how many more permissions carrier and log allow, over all campaigns."""
        return min(
            self.terms.placing_max - len(self.asking) - len(self.placing),
            int(self.window.size) - len(self.asking),
        )

    def own(self, campaign_id: int, boot: float) -> DialerRoom:
        """Return what this dialer alone knows of its room for a campaign."""
        queue = self.queues.get(campaign_id)
        return DialerRoom(
            self.works(campaign_id) and not self.stopping,
            len(queue.asked) if queue else 0,
            queue.rest_until - boot if queue else 0.0,
            self.room(),
        )

    def wake(self, at: float, who: str | int) -> None:
        """Mark a call (by id) or a campaign as due at `at` (CLOCK_BOOTTIME) or before."""
        if at < self._alarms.get(who, float("inf")):
            self._alarms[who] = at
            heapq.heappush(self._heap, (at, isinstance(who, str), who))

    def fire_alarms(self, boot: float) -> None:
        """Mark the calls and campaigns whose alarm is due."""
        while self._heap and self._heap[0][0] <= boot:
            at, _, who = heapq.heappop(self._heap)
            if self._alarms.get(who) != at:
                continue  # An earlier alarm replaced it, and has fired.
            del self._alarms[who]
            if isinstance(who, int):
                self.campaigns_due.add(who)
            else:
                self.calls_due.add(who)

    def wake_at(self) -> float | None:
        """Return when the next Woken is due, as CLOCK_BOOTTIME."""
        alarm_at, round_at = self._heap[0][0] if self._heap else None, self.rechecks.round_at
        if alarm_at is None or round_at is None:
            return round_at if alarm_at is None else alarm_at
        return min(alarm_at, round_at)

    def patience(self, call: Call) -> float:
        """Return how many seconds to wait for a call's resolution: longer each time."""
        return float(min(self.terms.resend_s * 2**call.offers, self.terms.resend_max_s))
