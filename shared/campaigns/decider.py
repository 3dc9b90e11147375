"""The shape of every decision. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from campaigns.facts import Event, Stream


class Reason(StrEnum):
    """Every way this system says no. HTTP statuses key on these (`campaigns.http.STATUS`)."""

    UNKNOWN_CAMPAIGN = "unknown-campaign"
    UNKNOWN_IMPORT = "unknown-import"
    NOT_RUNNING = "not-running"
    ALREADY_PAUSED = "already-paused"
    ALREADY_RUNNING = "already-running"
    WRONG_STATUS = "wrong-status"
    NO_CONTACTS = "no-contacts"
    ALL_PROCESSED = "all-processed"
    IMPORT_IN_PROGRESS = "import-in-progress"
    MESSAGES_UNSUPPORTED = "messages-unsupported"
    NO_USABLE_ROW = "no-usable-row"
    KEY_REUSED = "key-reused"
    CONTACT_DONE = "contact-done"
    ATTEMPTS_SPENT = "attempts-spent"
    TOO_SOON = "too-soon"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A business no. A value, not an exception: it was foreseen, and the caller must look."""

    reason: Reason
    detail: str
    retry_at: datetime | None = None


Facts = tuple[Event, ...]
Decision = Facts | Rejected | None  # None: already so, nothing to record.

F = TypeVar("F")  # What a service folds.
C = TypeVar("C")  # A command.
S = TypeVar("S")  # What the decision needs of the fold, and no more.


@dataclass(frozen=True, slots=True)
class Decider(Generic[F, C, S]):
    """How one command is decided: what it rests on, what it reads, what it says."""

    streams: Callable[[C], tuple[Stream, ...]]  # Written, and guards.
    read: Callable[[F, C], S]
    decide: Callable[[S, C], Decision]
