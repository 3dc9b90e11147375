"""The shape of every decision. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from campaigns.domain.facts import AnyFact
from campaigns.domain.values.stream_names import Stream


class Reason(StrEnum):
    """Every reason for a rejection. HTTP statuses key on these (`campaigns.http.door.STATUS`)."""

    UNKNOWN_CAMPAIGN = "unknown-campaign"  # Not there, or not this organization's.
    UNKNOWN_IMPORT = "unknown-import"  # The list that was being imported has been given up.
    NOT_RUNNING = "not-running"  # Only a running campaign can be paused, and calls.
    ALREADY_PAUSED = "already-paused"  # The campaign is paused; its 400 waits for the barrier too.
    ALREADY_RUNNING = "already-running"  # A start of a running campaign.
    WRONG_STATUS = "wrong-status"  # The campaign's status does not allow this move.
    TIME_PAST = "time-past"  # A schedule that begins in the past.
    SCHEDULE_UNUSABLE = "schedule-unusable"  # It cannot be understood, or never begins.
    NO_CONTACTS = "no-contacts"  # A start without contacts.
    ALL_PROCESSED = "all-processed"  # Every contact is done.
    IMPORT_IN_PROGRESS = "import-in-progress"  # A list is being imported: wait for it.
    MESSAGES_UNSUPPORTED = "messages-unsupported"  # sms and mixed cannot be started yet.
    NO_USABLE_ROW = "no-usable-row"  # No row of the file can be called.
    VERSION_LOST = "version-lost"  # If-Match named another version of the campaign.
    UNKNOWN_KEY = "unknown-key"  # No such API key of this organization.
    TOO_MANY_KEYS = "too-many-keys"  # The organization has as many API keys as it may have.
    UNKNOWN_WEBHOOK = "unknown-webhook"  # No such webhook of this organization.
    TOO_MANY_WEBHOOKS = "too-many-webhooks"  # The organization has as many as it may have.
    NO_MASTER_KEY = "no-master-key"  # What seals secrets is missing, or is another key.
    KEY_REUSED = "key-reused"  # The Idempotency-Key was used with another request.
    LEVEL_BELOW = "level-below"  # A form that the installation does not write yet: ADR-0014.
    CONTACT_DONE = "contact-done"  # Gate: done, being called, or gone.
    ERASED = "erased"  # Gate: the contact is forgotten.
    KEY_MISSING = "key-missing"  # Gate: a key of encrypted contacts is missing, or cannot be read.
    ATTEMPTS_SPENT = "attempts-spent"  # Gate: max_attempts are used up.
    OUTSIDE_HOURS = "outside-hours"  # Gate: not within the campaign's calling hours.
    RESTING = "resting"  # Gate: the contact rests after an attempt or an abandonment.
    ALL_LINES_BUSY = "all-lines-busy"  # Gate: as many calls at once as the campaign may have.
    RATE = "rate"  # Gate: as many calls a minute as the campaign may make.
    CARRIER_FULL = "carrier-full"  # Gate: as many requests at once as carrier and log take.
    LOG_SLOW = "log-slow"  # Gate: the log lost, or did not take, the campaign's last request.
    AWAITS_DIALER = "awaits-dialer"  # Gate: it is for a dialer to call, and it does not yet.
    ALL_RESTING = "all-resting"  # Gate: every pending contact rests.
    OTHERS_FIRST = "others-first"  # Gate: there is room only for contacts that come before it.
    NO_CONTACTS_LEFT = "no-contacts-left"  # Gate: every contact is done or being called.
    TOO_SOON = "too-soon"  # A decision of the dialer whose time has not come.


@dataclass(frozen=True, slots=True)
class Rejected:
    """A business no. A value, not an exception: it is expected, and the caller must handle it."""

    reason: Reason
    detail: str
    retry_at: datetime | None = None
    more: Mapping[str, object] | None = None  # What the answer contains besides its text.


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A yes with nothing to record: the state is as asked already."""


@dataclass(frozen=True, slots=True)
class Stale:
    """No decision yet: what the command was read from has changed, or must be settled first."""


UNCHANGED, STALE = Unchanged(), Stale()  # They carry no data: one of each is enough.

Facts = tuple[AnyFact, ...]  # At least one.
Decision = Facts | Rejected | Unchanged | Stale  # ADR-0024.

F = TypeVar("F")  # What a service folds.
C = TypeVar("C")  # A command.
S = TypeVar("S")  # What the decision needs of the fold.


@dataclass(frozen=True, slots=True)
class Decider(Generic[F, C, S]):
    """How one command is decided: what it rests on, what it reads, and the decision."""

    streams: Callable[[C], tuple[Stream, ...]]  # Written, and guards.
    read: Callable[[F, C], S]
    decide: Callable[[S, C], Decision]
