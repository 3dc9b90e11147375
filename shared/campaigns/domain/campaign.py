"""A campaign's state, with counters and open calls. Pure; `evolution` folds facts into it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import PlainSerializer

from campaigns.domain.codec import Codec
from campaigns.domain.facts import AnyCallFact, CampaignCreated, Selection
from campaigns.domain.moves import MOVES, Move, Status
from campaigns.domain.rate import Bucket
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.schedule import Schedule
from campaigns.domain.values.value import Value

# Stored in order: equal states have equal bytes, whatever order their facts came in.
ContactIds = Annotated[set[int], PlainSerializer(sorted, return_type=list[int])]


class OpenCall(Value, frozen=False, kw_only=False):  # type: ignore[misc]  # msgspec allows it.
    """A permission that is not resolved, or a call that is under way.

    A struct, because one is made for each call of a log: a dataclass takes four times as long.
    """

    call_id: str
    contact_id: int
    run: int
    attempt: int
    position: int  # Of its CallRequested.
    requested_at: datetime
    ring_by: datetime
    lease_s: float
    carrier_timeout_s: float
    refuses_late: bool
    started_at: datetime | None = (
        None  # None: a permission that, as far as known, was not used yet.
    )
    execution: int | None = None  # Its ordinal in the campaign, once it has started.
    first: bool = False  # The contact was never attempted before, in any run.
    carrier: str | None = None  # The carrier that may place it. None: its CallRequested names none.


@dataclass(slots=True)
class ImportUnderWay:
    """An import that has started and not ended."""

    import_id: str
    number: int
    rows: int
    started_at: datetime


@dataclass(slots=True)
class Counters:
    """The number of contacts by status. pending + … + cancelled = total, always."""

    total: int = 0  # Without gone and skipped contacts.
    pending: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0  # Including final no answer, busy and voicemail.
    cancelled: int = 0
    skipped: int = 0
    untouched: int = 0  # Of the pending: never attempted, in any run.


@dataclass(frozen=True, slots=True)
class Change:
    """The last fact of a campaign's own stream, which a refused If-Match names."""

    tag: str
    at: str  # Its place in the log: partition@position.
    actor: str  # For whom it was recorded.


@dataclass(slots=True)
class Campaign:
    """The state of one campaign, folded from its facts."""

    created: CampaignCreated  # With later updates applied.
    status: Status = Status.DRAFT
    deleted: bool = False
    version: int = 1  # How many facts of its own stream there are. Source: contract 10.
    changed: Change | None = None
    run: int = 0  # 0: never started.
    counters: Counters = field(default_factory=Counters)
    calls: dict[str, OpenCall] = field(default_factory=dict)  # By call id; permissions included.
    # Calls that were given back as not placed, the latest of them, by call id.
    doubted: dict[str, OpenCall] = field(default_factory=dict)
    bucket: Bucket = field(default_factory=Bucket)  # Of `calls_per_minute`.
    late: ContactIds = field(default_factory=set)  # Contacts that rang late. Should be empty.
    late_calls: int = 0  # Ever, in any run. Should be 0.
    tried: int = 0  # Contacts ever attempted, in any run; those in progress included.
    epoch: int = 0  # How often it was rearmed; with each, attempts of contacts start from 0.
    selection: Selection = Selection.ALL  # Of the last rearming.
    rearmed_through: int = 0  # The last contact id at the last rearming.
    rearmed_run: int = 0  # The last run before it.
    contacts_end: int = 0  # The last contact id.
    replaced_through: int = 0  # Untouched contacts up to here are gone.
    erased_through: int = 0  # Contacts up to here are forgotten.
    imports: int = 0  # Numbered ones, under way included.
    importing: ImportUnderWay | None = None
    imported_at: datetime | None = None  # When the last numbered import ended, whatever its result.
    rang_at: datetime | None = None  # When the last call that began to ring was asked for.
    executions: int = 0
    ended: int = 0
    answered: int = 0
    talk_s: float = 0.0
    strict: bool = True  # No permission of this run went to a carrier that cannot refuse late.
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None
    paused_at: datetime | None = None
    pause_reason: str | None = None
    pause: Change | None = None  # While it is paused.
    stopped_position: int = 0  # 0: never stopped.
    halted_position: int = 0  # Of the last pause, stop or delete. 0: none yet.
    abandoned: int = 0  # Permissions that were accepted before it and given back since.
    schedule: Schedule | None = None
    next_at: datetime | None = None  # While it is scheduled.
    rearms: bool = False  # The next run of its schedule calls all contacts again.
    failure: str | None = None
    variable_mappings: dict[str, str | None] = field(default_factory=dict)
    available_variables: tuple[str, ...] = ()
    last_import_file_name: str | None = None
    last_import_date: datetime | None = None
    last_import_row_count: int | None = None

    @property
    def campaign_id(self) -> int:
        """Return the campaign's id."""
        return self.created.campaign_id

    @property
    def never_tried(self) -> int:
        """Return the number of never attempted contacts, which a replacing import removes."""
        return self.counters.total + self.counters.skipped - self.tried

    @property
    def settings(self) -> CampaignSettings:
        """Return its current settings."""
        return self.created.settings

    def permissions(self) -> list[OpenCall]:
        """Return the permissions that are not resolved, for which a barrier waits."""
        return [call for call in self.calls.values() if call.started_at is None]

    def calling(self) -> list[OpenCall]:
        """Return the calls that have begun and not ended."""
        return [call for call in self.calls.values() if call.started_at is not None]

    def allows(self, move: Move) -> bool:
        """Say whether a move is legal now."""
        return not self.deleted and self.status in MOVES[move]


def in_progress(campaign: Campaign, fact: AnyCallFact) -> bool:
    """Say whether a contact has an open permission or call, be it this one or another."""
    return any(call.contact_id == fact.contact_id for call in campaign.calls.values())


def gone(campaign: Campaign, contact_id: int, attempts: int, in_progress: bool) -> bool:
    """Say whether a replacing import removed a contact before it was ever attempted.

    `attempts`: of all runs, or whether there was any.
    """
    return contact_id <= campaign.replaced_through and not attempts and not in_progress


_CODEC = Codec(Campaign)


def dump(campaign: Campaign) -> bytes:
    """Return the state as JSON, for a checkpoint."""
    return _CODEC.dump(campaign)


def load(stored: bytes, campaign_id: int) -> Campaign:
    """Return the state that `dump` wrote.

    Raises:
        StoreUnreadableError: `dump` did not write it; the error names the campaign.

    """
    return _CODEC.load(stored, f"campaign {campaign_id}")
