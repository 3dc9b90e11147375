"""What a log, with a carrier's rings, can show to be wrong, and what that breaks. Pure."""

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from campaigns.domain.facts import CallFact
from campaigns.records.topics import CAMPAIGN_RECORDS, INSTALLATION, Partition

# Source: architecture "What is always true", word for word (a test compares them).
INVARIANTS = {
    1: "One campaign, one order; readers at one position agree.",
    2: "Between an accepted `CampaignPaused` and the next `CampaignResumed`, no `CallRequested` of"
    " that campaign is accepted.",
    3: "No ring without an accepted `CallRequested` of its own, begun within its lease.",
    4: "After the 200 to a pause, no ring begins until the campaign is resumed.",
    5: "At most one open attempt a contact; at most `max_attempts` attempts; every permission is"
    " resolved exactly once, and ends as exactly one `CallAbandoned` or `CallEnded`.",
    6: "A command that was answered 2xx is in the log, accepted; one that was answered 4xx has"
    " changed nothing, and its reason was true at some moment between request and answer.",
    7: "State is a fold: each store, deleted and rebuilt from the log, is the same.",
    8: "After the faults end, every running campaign goes on until each contact is done.",
}


class Kind(Enum):
    """A kind of violation: its name in the output, and the invariant that it breaks."""

    LEVEL_NOT_RAISED = "level-not-raised", 1
    PERMITTED_NOT_RUNNING = "permitted-not-running", 2
    BEGAN_UNSCHEDULED = "began-unscheduled", 2
    BEGAN_EARLY = "began-early", 2
    RANG_UNPERMITTED = "rang-unpermitted", 3
    RANG_FOR_ANOTHER = "rang-for-another", 3
    RANG_AFTER_LEASE = "rang-after-lease", 3
    RANG_WHILE_PAUSED = "rang-while-paused", 4
    LATE_ON_RECORD = "late-on-record", 4
    NO_SUCH_CONTACT = "no-such-contact", 5
    ASKED_WHILE_OPEN = "asked-while-open", 5
    ASKED_WHEN_DONE = "asked-when-done", 5
    ASKED_WHEN_ERASED = "asked-when-erased", 5
    ATTEMPTS_SPENT = "attempts-spent", 5
    ATTEMPT_MISCOUNTED = "attempt-miscounted", 5
    NOT_OPEN = "not-open", 5
    STARTED_TWICE = "started-twice", 5
    STARTED_AND_ABANDONED = "started-and-abandoned", 5
    OVER_WITH_OPEN_CALLS = "over-with-open-calls", 5
    RANG_TWICE = "rang-twice", 5
    STARTED_UNRUNG = "started-unrung", 5
    RANG_UNRECORDED = "rang-unrecorded", 5
    STILL_OPEN = "still-open", 5
    KEY_TWICE = "key-twice", 6
    LIST_DROPPED_AND_COUNTED = "list-dropped-and-counted", 7
    LIST_AFTER_ITS_END = "list-after-its-end", 7
    LIST_ROWS_MISSING = "list-rows-missing", 7
    LIST_STILL_OPEN = "list-still-open", 7
    COMPLETED_EARLY = "completed-early", 8
    NOT_FINISHED = "not-finished", 8

    def __init__(self, label: str, invariant: int) -> None:
        self.label, self.invariant = label, invariant


class Violation(NamedTuple):
    """One broken promise, where it shows."""

    kind: Kind
    at: str  # `partition@position`, with its topic before it unless that is campaign.records.
    what: str
    campaign_id: int | None = None
    call_id: str | None = None
    strict: bool | None = None  # Of a ring: whether its permission was strict. None: not of one.

    @property
    def invariant(self) -> int:
        """Return the number of the broken invariant."""
        return self.kind.invariant

    @property
    def sentence(self) -> str:
        """Return the sentence of the architecture page that it breaks."""
        return INVARIANTS[self.kind.invariant]

    def shape(self) -> dict[str, Any]:
        """Return it as JSON."""
        shown: dict[str, Any] = {
            "invariant": self.invariant,
            "at": self.at,
            "campaign_id": self.campaign_id,
            "call_id": self.call_id,
            "kind": self.kind.label,
            "what": self.what,
        }
        if self.strict is not None:
            shown["guarantee"] = "strict" if self.strict else "best-effort"
        return shown


class RecordPlace(NamedTuple):
    """Where a record is. Written out only in a violation, of which there should be few."""

    partition: Partition
    position: int

    def __str__(self) -> str:
        number = f"{self.partition.number}@{self.position}"
        topic = self.partition.topic
        return number if topic == CAMPAIGN_RECORDS else f"{topic}/{number}"


place = partial(tuple.__new__, RecordPlace)  # Takes half the time: one for each record.


class Report:
    """Where a judge notes what it finds, at the record that it looks at."""

    def __init__(self, find: Callable[[Violation], None]) -> None:
        """Hand every violation to `find`."""
        self._find = find
        self.at = RecordPlace(INSTALLATION, 0)  # The place of that record.

    def of_campaign(self, kind: Kind, what: str, campaign_id: int | None) -> None:
        """Note what is wrong with a campaign; None: with no campaign in particular."""
        self._find(Violation(kind, str(self.at), what, campaign_id))

    def of_call(self, kind: Kind, what: str, fact: CallFact, *, strict: bool | None = None) -> None:
        """Note what is wrong with a call. `strict`: what its permission said, if it rang."""
        self._find(Violation(kind, str(self.at), what, fact.campaign_id, fact.call_id, strict))
