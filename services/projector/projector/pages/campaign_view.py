"""What pages show of one campaign, in the words that they use. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.audit.stories.phrases import counted
from campaigns.audit.stories.receipts import receipt_shape
from campaigns.audit.stories.story import Item
from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.moves import Move, Status
from projector.queries.shapes import pause_shape

# A campaign that is as fast as it may be waits at these gates, and nothing is wrong.
PACED = frozenset({Reason.RATE, Reason.ALL_LINES_BUSY, Reason.CARRIER_FULL, Reason.OTHERS_FIRST})
# The contacts of a campaign by status, in the order in which the bar shows them.
STATES = ("completed", "failed", "in_progress", "pending", "cancelled")
WORDS = {
    "completed": "reached",
    "failed": "not reached",
    "in_progress": "being called",
    "pending": "to be called",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Share:
    """The contacts in one status: their number, and where the bar shows them, of 1,000 units."""

    name: str
    word: str
    count: int
    x: float
    width: float


def shares(campaign: Campaign) -> list[Share]:
    """Return how the contacts divide; the counts add up to all of them."""
    counters, found, x = campaign.counters, list[Share](), 0.0
    for name in STATES:
        count = int(getattr(counters, name))
        width = 1000.0 * count / counters.total if counters.total else 0.0
        found.append(Share(name, WORDS[name], count, round(x, 2), round(width, 2)))
        x += width
    return found


@dataclass(frozen=True, slots=True)
class IdleReason:
    """Why a running campaign asks for no call at this instant."""

    text: str
    paced: bool  # It calls as fast as it may: nothing is wrong.
    retry_at: Any = None  # A datetime, or None: it waits for an event.


def idle_of(campaign: Campaign, shut: Rejected | None) -> IdleReason | None:
    """Return why a campaign is idle. None: it does not run, or nothing keeps it from calling."""
    if campaign.status is not Status.RUNNING or shut is None:
        return None
    return IdleReason(shut.detail, shut.reason in PACED, shut.retry_at)


def cautions(campaign: Campaign) -> list[str]:
    """Return what somebody should know, in sentences: facts, so that a refresh shows them again."""
    found = []
    if campaign.late_calls:
        late = counted(campaign.late_calls, "phone")
        found.append(f"{late} rang that should not have. Each was hung up, and is in the story.")
    if campaign.failure:
        found.append(f"It could not begin by its schedule: {campaign.failure}.")
    if doubted := len(campaign.doubted):
        they = "it" if doubted == 1 else "they"
        found.append(
            f"{counted(doubted, 'call')} came back as not placed: the carrier is asked again"
            f" whether {they} rang."
        )
    if not campaign.strict and campaign.status in (Status.RUNNING, Status.PAUSED):
        found.append(
            "Its carrier cannot refuse a late ring: a pause is best effort, not strict (a late call"
            " is hung up)."
        )
    return found


PHASES = ("settling", "settled", "drained")
_PHASE_TEXTS = {
    "settling": "A ring that was permitted before the pause may still begin.",
    "settled": "No ring begins any more. Calls that were under way go on.",
    "drained": "No ring begins, and the last call has ended.",
}


def receipt_of(campaign: Campaign, halt: Item | None) -> dict[str, Any] | None:
    """Return how far a pause has settled, and what its answer rested on. None: it is not paused.

    `halt`: the pause as the story tells it: facts alone, so that it is the same after a refresh.
    None: it had not settled. Any: what the template names.
    """
    shape = pause_shape(campaign)
    if campaign.status is not Status.PAUSED:
        return None
    phase = shape["phase"]
    return {
        "phase": phase,
        "phases": [(one, PHASES.index(one) <= PHASES.index(phase)) for one in PHASES],
        "text": _PHASE_TEXTS[phase],
        "since": campaign.paused_at,
        "reason": campaign.pause_reason,
        "actor": shape["actor"],
        "talking": len(campaign.calling()),
        "open": len(campaign.permissions()),
        "late": campaign.late_calls,
        **_answered(halt if phase != "settling" else None),
        **(shape["receipt"] or receipt_shape(campaign, None)),
    }


def _answered(halt: Item | None) -> dict[str, Any]:
    """Return how long a pause took to settle by the log, and what its answer said of the calls."""
    if halt is None or halt.settled_at is None or halt.receipt is None:
        return {"took": None, "answer": None}
    lasted = took((halt.settled_at - halt.at).total_seconds())
    talking = counted(halt.receipt["calls_in_progress"], "call")
    within = lasted if lasted == "at once" else f"in {lasted}"
    return {"took": lasted, "answer": f"Settled {within} by the log, {talking} still talking then"}


def took(seconds: float) -> str:
    """Return a short time for people: `at once`, `4 ms`, `1.2 s`."""
    if seconds < 0.0005:
        return "at once"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def moves(campaign: Campaign) -> Sequence[str]:
    """Return the names of the buttons: what may be done with the campaign now."""
    found = []
    if campaign.status is Status.PAUSED:
        found.append("resume")
    elif campaign.allows(Move.START):
        found.append("start")
    if campaign.allows(Move.PAUSE):
        found.append("pause")
    if campaign.allows(Move.STOP):
        found.append("stop")
    if campaign.allows(Move.IMPORT):
        found.append("import")
    return found
