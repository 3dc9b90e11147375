"""THE CONTRACT: every fact, its fields, its stream, and the one module that makes it.

Read this first; values/ has what facts are made of: streams, instants, rows, settings, schedules.
Pure: no clock, no Kafka. A fact is past tense and immutable; its tag is kebab-case with a version
and never changes meaning: a new meaning is a new version. Whatever earlier builds cannot read
states the level from which on it is written; a field that they may ignore is written aside:
levels.py, ADR-0014.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, get_args

from msgspec import Meta

from campaigns.domain.levels import ASIDE, Word
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.instants import Instant
from campaigns.domain.values.rows import Row, RowError
from campaigns.domain.values.schedule import Schedule
from campaigns.domain.values.stream_names import (
    Stream,
    campaign_stream,
    contact_stream,
    contacts_stream,
    create_stream,
    import_stream,
    installation_stream,
    organization_stream,
)
from campaigns.domain.values.value import Count, Int, PositiveFloat, PositiveInt, Value


class CampaignType(StrEnum):
    """What a campaign sends. Only `call` can be started in this build."""

    CALL = "call"
    SMS = "sms"
    MIXED = "mixed"


class Disposition(StrEnum):
    """How an attempt ended. Each attempt gets exactly one."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    VOICEMAIL = "voicemail"
    FAILED = "failed"  # The carrier says that the phone will not ring, or that the call broke.
    UNKNOWN = "unknown"  # The carrier cannot say what became of it: it may have rung.


class Abandonment(Word):
    """Why a permission was given back without an attempt."""

    NOT_RUNNING = "not-running"  # Paused or stopped before it reached the carrier.
    LEASE_OVER = "lease-over"  # Read back too late to be used.
    REFUSED_LATE = "refused-late"  # The carrier refused: `ring_by` had passed.
    NOT_PLACED = "not-placed"  # Recovery: the carrier was asked twice and does not know it.
    RANG_LATE = "rang-late"  # It rang too late, was hung up, and is recorded as CallLate.
    SHUTTING_DOWN = "shutting-down"  # The dialer is stopping and will not use it.
    ERASED = "erased", 4  # The contact was erased before it reached the carrier.
    UNREADABLE = "unreadable", 4  # The contact's number cannot be read: a key is missing.


class ImportSource(StrEnum):
    """Where a list of contacts came from."""

    CSV = "csv_import"
    API = "api"


class Selection(StrEnum):
    """Which contacts a rearming selects; the others are skipped."""

    ALL = "all"
    FAILED_ONLY = "failed_only"  # Failed, no answer, busy and voicemail, for good.
    CONTACTS = "contacts"  # Those that are named.


class Fact(Value, frozen=True, kw_only=True):
    """Base of all facts: frozen, closed, tagged."""

    TYPE: ClassVar[str]  # The tag. Never a Python path.
    SINCE: ClassVar[int] = 1  # The level from which on it is written.

    @property
    def stream(self) -> Stream:
        """Return the stream this fact belongs to."""
        raise NotImplementedError


class CampaignFact(Fact, frozen=True, kw_only=True):
    """Base of facts about a campaign's lifecycle."""

    campaign_id: PositiveInt  # Also the Kafka key: one campaign, one partition, one order.

    @property
    def stream(self) -> Stream:
        """Return the campaign's own stream."""
        return campaign_stream(self.campaign_id)


class ContactsFact(CampaignFact, frozen=True, kw_only=True):
    """Base of facts about which lists of contacts count."""

    @property
    def stream(self) -> Stream:
        """Return the campaign's contacts stream."""
        return contacts_stream(self.campaign_id)


class CallFact(CampaignFact, frozen=True, kw_only=True):
    """Base of facts about one attempt to reach one contact."""

    contact_id: PositiveInt
    call_id: str  # The id of the record that carries the CallRequested.
    run: PositiveInt  # 1 is the first.
    attempt: PositiveInt  # 1 is the first.

    @property
    def stream(self) -> Stream:
        """Return the contact's own stream, so that contacts do not contend."""
        return contact_stream(self.campaign_id, self.contact_id)


class CampaignCreated(CampaignFact, frozen=True, kw_only=True):
    """A campaign exists, as a draft. Made by: command_api.commands.create."""

    TYPE = "campaign-created.v1"

    organization_id: PositiveInt
    assistant_id: Int
    name: str
    description: str | None
    campaign_type: CampaignType
    welcome_message_template: str | None
    agenda_template: str | None
    end_call_message_template: str | None
    sms_message_template: str | None
    fallback_values: dict[str, str]
    variable_mappings: dict[str, str | None]
    available_variables: tuple[str, ...]
    settings: CampaignSettings
    phone_number_id: Int | None
    pending_import: dict[str, object] | None  # Kept as it came: its contents are undocumented.
    import_id: str | None  # The list that counts from the start; None: no contact yet.
    rows: Count  # Of that list: contacts 1 … rows.
    created_at: Instant


class CampaignUpdated(CampaignFact, frozen=True, kw_only=True):
    """Settings or texts have changed; None leaves one unchanged. Made by: command_api.commands.update."""  # noqa: E501

    TYPE = "campaign-updated.v1"

    name: str | None = None
    description: str | None = None
    welcome_message_template: str | None = None
    agenda_template: str | None = None
    end_call_message_template: str | None = None
    sms_message_template: str | None = None
    fallback_values: dict[str, str] | None = None
    variable_mappings: dict[str, str | None] | None = None
    available_variables: tuple[str, ...] | None = None
    settings: CampaignSettings | None = None  # All of them, with their new values.
    phone_number_id: Int | None = None
    pending_import: dict[str, object] | None = None
    updated_at: Instant


class CampaignDeleted(CampaignFact, frozen=True, kw_only=True):
    """The campaign is deleted; pending contacts are cancelled. Made by: command_api.commands.delete."""  # noqa: E501

    TYPE = "campaign-deleted.v1"

    reason: str | None
    deleted_at: Instant


class CampaignScheduled(CampaignFact, frozen=True, kw_only=True):
    """The campaign will start at a set time. Made by: command_api.commands.schedule."""

    TYPE = "campaign-scheduled.v1"

    schedule: Schedule
    scheduled_at: Instant  # When this was requested.


class CampaignUnscheduled(CampaignFact, frozen=True, kw_only=True):
    """The schedule is removed; it is a draft again. Made by: command_api.commands.schedule."""

    TYPE = "campaign-unscheduled.v1"

    unscheduled_at: Instant


class CampaignDue(CampaignFact, frozen=True, kw_only=True):
    """The scheduled time has come: a run begins, calls may be requested.

    Made by: dialer.decisions.lifecycle.
    """

    TYPE = "campaign-due.v1"

    run: PositiveInt
    due_at: Instant
    rearms: bool  # A run of this schedule is over: all contacts are pending again.
    started_at: Instant


class RunEnded(CampaignFact, frozen=True, kw_only=True):
    """A run of a recurring campaign is over; the next one is ahead.

    Made by: dialer.decisions.lifecycle.
    """

    TYPE = "run-ended.v1"

    run: PositiveInt
    next_at: Instant
    ended_at: Instant


class CampaignFailed(CampaignFact, frozen=True, kw_only=True):
    """A scheduled campaign cannot start. Made by: dialer.decisions.lifecycle."""

    TYPE = "campaign-failed.v1"

    reason: str
    failed_at: Instant


class CampaignStarted(CampaignFact, frozen=True, kw_only=True):
    """A run begins: calls may be requested. Made by: command_api.commands.start."""

    TYPE = "campaign-started.v1"

    run: PositiveInt
    started_at: Instant


class CampaignPaused(CampaignFact, frozen=True, kw_only=True):
    """No further call may be requested. Made by: command_api.commands.pause."""

    TYPE = "campaign-paused.v1"

    reason: str | None
    paused_at: Instant


class CampaignResumed(CampaignFact, frozen=True, kw_only=True):
    """Calls may be requested again: the run continues where it left off.

    Made by: command_api.commands.start.
    """

    TYPE = "campaign-resumed.v1"

    reason: str | None
    resumed_at: Instant


class CampaignStopped(CampaignFact, frozen=True, kw_only=True):
    """The run is over for good; pending contacts are cancelled.

    Made by: command_api.commands.stop.
    """

    TYPE = "campaign-stopped.v1"

    reason: str | None
    stopped_at: Instant


class CampaignCompleted(CampaignFact, frozen=True, kw_only=True):
    """Every contact is done. Made by: dialer.decisions.lifecycle."""

    TYPE = "campaign-completed.v1"

    run: PositiveInt
    completed_at: Instant


class CampaignRearmed(CampaignFact, frozen=True, kw_only=True):
    """A finished campaign is a draft again: selected contacts are pending, the others skipped.

    An epoch, as a stop is. Attempts and counters start from 0; executions are kept.
    Made by: command_api.commands.re_execute.
    """

    TYPE = "campaign-rearmed.v1"

    selection: Selection
    contact_ids: tuple[PositiveInt, ...] = ()  # If it names them.
    contacts: Count  # How many are selected.
    untouched: Count  # Of the selected, how many were never attempted in any run.
    rearmed_at: Instant


class ContactsReplaced(CampaignFact, frozen=True, kw_only=True):
    """Contacts up to `through` that are pending and were never attempted are gone.

    An epoch, not a loop: each contact's status is derived from it. It is in the record of the
    ImportCompleted that replaces. Made by: command_api.commands.complete_import.
    """

    TYPE = "contacts-replaced.v1"

    import_id: str
    through: Count  # The campaign's last contact id before the import.
    replaced_at: Instant


class ContactsAdded(Fact, frozen=True, kw_only=True):
    """A chunk of a list; it counts once a fact names the list. Made by: command_api.imports.rows."""  # noqa: E501

    TYPE = "contacts-added.v1"

    import_id: str
    first_row: PositiveInt  # 1 is the list's first.
    rows: tuple[Row, ...]

    @property
    def stream(self) -> Stream:
        """Return the list's own stream."""
        return import_stream(self.import_id)


class ContactsEncrypted(Fact, frozen=True, kw_only=True):
    """A chunk of a list, each row with a key that can be deleted (ADR-0041). It counts as ContactsAdded does.

    Made by: campaigns.personal.row_cipher.
    """  # noqa: E501

    TYPE = "contacts-encrypted.v1"
    SINCE = 4

    import_id: str
    first_row: PositiveInt  # 1 is the list's first.
    key_id: str  # Of the list's keys, the same in all its chunks.
    rows: tuple[str, ...]  # Base64 of nonce, ciphertext and tag: campaigns.personal.row_cipher.

    @property
    def stream(self) -> Stream:
        """Return the list's own stream."""
        return import_stream(self.import_id)


class ListClosed(Fact, frozen=True, kw_only=True):
    """The end of a list: a fact in the same record counts it, or it will never count.

    A list that does not count is dropped from every store. Both ends write the list's own stream,
    so that one of them is refused (ADR-0022). Made by: command_api.open_lists.
    """

    TYPE = "list-closed.v1"
    SINCE = 3

    import_id: str
    counts: bool
    closed_at: Instant

    @property
    def stream(self) -> Stream:
        """Return the list's own stream."""
        return import_stream(self.import_id)


class ImportStarted(ContactsFact, frozen=True, kw_only=True):
    """A list that is too long for one record is being imported.

    Made by: command_api.commands.start_import.
    """

    TYPE = "import-started.v1"

    import_id: str
    number: PositiveInt  # The import's public id: its ordinal in the campaign.
    file_name: str | None
    rows: Count  # As counted before the first chunk.
    started_at: Instant


class ImportCompleted(ContactsFact, frozen=True, kw_only=True):
    """A list counts: its rows are contacts first_contact_id … in row order.

    Made by: command_api.commands.complete_import.
    """

    TYPE = "import-completed.v1"

    import_id: str
    number: PositiveInt | None  # None: contacts added as JSON, which have no import id.
    source: ImportSource
    file_name: str | None
    first_contact_id: PositiveInt
    rows: Count
    skipped: Count  # Duplicates.
    failed: Count  # Unusable rows.
    errors: tuple[RowError, ...]  # The first 100 of them.
    variable_mappings: dict[str, str | None]  # {} leaves the campaign's own.
    available_variables: tuple[str, ...]
    completed_at: Instant


class ImportFailed(ContactsFact, frozen=True, kw_only=True):
    """The list that was being imported will never count.

    Made by: command_api.commands.fail_import.
    """

    TYPE = "import-failed.v1"

    import_id: str
    number: PositiveInt
    reason: str
    failed_at: Instant


class CreateKeyed(Fact, frozen=True, kw_only=True):
    """The Idempotency-Key of one create, in the same record.

    Made by: command_api.commands.create.
    """

    TYPE = "create-keyed.v1"

    organization_id: PositiveInt
    digest: str  # Of the key, hexadecimal: the stream's last part.
    campaign_id: PositiveInt
    request_digest: str  # Of method, path and body.

    @property
    def stream(self) -> Stream:
        """Return the key's own stream."""
        return create_stream(self.organization_id, self.digest)


class CallRequested(CallFact, frozen=True, kw_only=True):
    """Permission to ring. Appended before the carrier is asked.

    Made by: dialer.decisions.request_call.

    Source: ADR-0003, intent first: a crash may lose an outcome, never an attempt.
    """

    TYPE = "call-requested.v1"

    requested_at: Instant  # The record's own time, read before it was sent.
    ring_by: Instant  # requested_at plus the lease: no ring begins later.
    lease_s: PositiveFloat  # The permission carries its terms: whatever waits for it uses these.
    carrier_timeout_s: PositiveFloat
    refuses_late: bool  # Whether the carrier refuses to begin a ring after ring_by.
    tried: bool = False  # The contact was attempted in an earlier run.
    # The carrier that may ring, by its own id: only this one can say that it did not ring.
    carrier: Annotated[str | None, ASIDE] = None  # None: not known, so no carrier is believed.


class CallStarted(CallFact, frozen=True, kw_only=True):
    """The phone has begun to ring. Made by: dialer.decisions.resolution."""

    TYPE = "call-started.v1"

    started_at: Instant


class CallAbandoned(CallFact, frozen=True, kw_only=True):
    """The permission will not be used; its attempt number is given back. Made by: dialer.decisions.resolution."""  # noqa: E501

    TYPE = "call-abandoned.v1"

    reason: Abandonment
    exhausted: bool = False  # No attempt is left (it rang late meanwhile): the contact is done.
    abandoned_at: Instant


class CallEnded(CallFact, frozen=True, kw_only=True):
    """The attempt is over. Made by: dialer.decisions.resolution."""

    TYPE = "call-ended.v1"

    disposition: Disposition
    duration_s: Annotated[float, Meta(ge=0)]  # Of talk; 0 when nobody answered.
    error: str | None
    retry_at: Instant | None  # None: no further attempt.
    ended_at: Instant


class CallLate(CallFact, frozen=True, kw_only=True):
    """A phone rang that should not have: a broken promise is on record. Made by: dialer.decisions.resolution."""  # noqa: E501

    TYPE = "call-late.v1"

    attempts: PositiveInt  # Spent, this ring included.
    tried: bool = False  # The contact was attempted in an earlier run.
    exhausted: bool = False  # It was the last attempt of a pending contact, which is done now.
    detail: str
    late_at: Instant


class ContactExhausted(CampaignFact, frozen=True, kw_only=True):
    """A contact that waited for another attempt gets none: `max_attempts` was lowered meanwhile.

    Made by: dialer.decisions.exhaustion.
    """

    TYPE = "contact-exhausted.v1"

    contact_id: PositiveInt
    run: PositiveInt
    attempts: PositiveInt  # Spent in this run.
    exhausted_at: Instant

    @property
    def stream(self) -> Stream:
        """Return the contact's own stream."""
        return contact_stream(self.campaign_id, self.contact_id)


class SkipReason(StrEnum):
    """Why a contact is not called although it waits."""

    ERASED = "erased"


class ContactSkipped(CampaignFact, frozen=True, kw_only=True):
    """A contact that waited is not called in this run. Made by: dialer.decisions.exhaustion."""

    TYPE = "contact-skipped.v1"
    SINCE = 4

    contact_id: PositiveInt
    run: PositiveInt
    reason: SkipReason
    tried: bool  # Attempted in any run.
    skipped_at: Instant

    @property
    def stream(self) -> Stream:
        """Return the contact's own stream."""
        return contact_stream(self.campaign_id, self.contact_id)


class ContactErased(CampaignFact, frozen=True, kw_only=True):
    """A contact is forgotten: its row's key is deleted, wherever it still is. It is never called again.

    Made by: campaigns.personal.erasure.
    """  # noqa: E501

    TYPE = "contact-erased.v1"
    SINCE = 4

    contact_id: PositiveInt
    key_id: str
    row: PositiveInt  # Of its list.
    erased_at: Instant

    @property
    def stream(self) -> Stream:
        """Return the contact's own stream."""
        return contact_stream(self.campaign_id, self.contact_id)


class CampaignErased(CampaignFact, frozen=True, kw_only=True):
    """A campaign's contacts up to the id `through` are forgotten, and are never called again.

    A campaign of many lists has several of these, each with the next lists' keys.

    Made by: campaigns.personal.erasure.
    """

    TYPE = "campaign-erased.v1"
    SINCE = 4

    through: PositiveInt  # The last contact id of the lists.
    key_ids: tuple[str, ...]  # Of the lists that were not forgotten before.
    erased_at: Instant


class Scope(StrEnum):
    """What a key may do; each scope includes those before it."""

    READ = "read"  # Queries, sockets, template preview.
    OPERATE = "operate"  # Commands.
    ADMIN = "admin"  # Keys.


class OrganizationFact(Fact, frozen=True, kw_only=True):
    """Base of facts about an organization (topic organization.records)."""

    organization_id: PositiveInt

    @property
    def stream(self) -> Stream:
        """Return the organization's stream."""
        return organization_stream(self.organization_id)


class ApiKeyCreated(OrganizationFact, frozen=True, kw_only=True):
    """A key for the public API, of which only the hash is stored.

    Made by: command_api.keys.key_changes.
    """

    TYPE = "api-key-created.v1"

    key_hash: str  # SHA-256, hexadecimal.
    key_prefix: str  # The first characters, to tell keys apart.
    name: str | None = None
    scope: Scope = Scope.ADMIN
    rate_per_minute: PositiveInt | None = None  # Requests. None: the installation's own limit.
    created_at: Instant


class ApiKeyRevoked(OrganizationFact, frozen=True, kw_only=True):
    """A key no longer authenticates. Made by: command_api.keys.key_changes."""

    TYPE = "api-key-revoked.v1"

    key_hash: str
    revoked_at: Instant


class WebhookFact(OrganizationFact, frozen=True, kw_only=True):
    """Base of facts about one receiver of an organization's events."""

    SINCE = 4

    webhook_id: str


class WebhookCreated(WebhookFact, frozen=True, kw_only=True):
    """Events go to a URL from now on. Made by: command_api.webhooks.webhook_changes."""

    TYPE = "webhook-created.v1"

    url: str
    types: tuple[str, ...]  # Tags, with or without their version. Empty: all.
    campaign_ids: tuple[PositiveInt, ...]  # Empty: all of the organization.
    description: str | None
    after: str  # The cursor from which on events are delivered.
    secret: str  # Sealed by the master key: never in clear.
    created_at: Instant


class WebhookChanged(WebhookFact, frozen=True, kw_only=True):
    """What is delivered, where, and whether; whole. Made by: command_api.webhooks.webhook_changes."""  # noqa: E501

    TYPE = "webhook-changed.v1"

    url: str
    types: tuple[str, ...]
    campaign_ids: tuple[PositiveInt, ...]
    description: str | None
    paused: bool
    activated: bool  # Asked to be active: a parked one goes on.
    changed_at: Instant


class WebhookSecretRotated(WebhookFact, frozen=True, kw_only=True):
    """A new secret signs; the one before does too, for a day. Made by: command_api.webhooks.webhook_changes."""  # noqa: E501

    TYPE = "webhook-secret-rotated.v1"

    secret: str  # Sealed.
    rotated_at: Instant


class WebhookReplayAsked(WebhookFact, frozen=True, kw_only=True):
    """A stretch of events is delivered again. Made by: command_api.webhooks.webhook_changes."""

    TYPE = "webhook-replay-asked.v1"

    after: str  # A cursor.
    until: str | None  # A cursor. None: where delivery stands when the replay begins.
    asked_at: Instant


class WebhookEnded(WebhookFact, frozen=True, kw_only=True):
    """Nothing is delivered any more. Made by: command_api.webhooks.webhook_changes."""

    TYPE = "webhook-ended.v1"

    ended_at: Instant


class InstallationFact(Fact, frozen=True, kw_only=True):
    """Base of facts about the whole installation (topic installation.records)."""

    @property
    def stream(self) -> Stream:
        """Return the installation's stream."""
        return installation_stream()


class LevelRaised(InstallationFact, frozen=True, kw_only=True):
    """Every process can read this level, so it may be written from here on. Made by: campaigns.records.installation."""  # noqa: E501

    TYPE = "level-raised.v1"

    level: PositiveInt
    raised_at: Instant


class RecordSkipped(InstallationFact, frozen=True, kw_only=True):
    """A record that stops readers: all of them pass over it, as if it had been refused.

    Made by: campaigns.records.installation.
    """

    TYPE = "record-skipped.v1"

    topic: str
    partition: Count
    position: PositiveInt
    digest: str  # SHA-256 of its bytes, hexadecimal: identifies the record.
    reason: str
    skipped_at: Instant


class HomeChosen(InstallationFact, frozen=True, kw_only=True):
    """Where the log is at home from here on: a log that is elsewhere is a copy, and never dials.

    Made by: campaigns.records.home.
    """

    TYPE = "home-chosen.v1"
    SINCE = 4

    installation: str  # Its id: the same in every copy of the log.
    generation: PositiveInt  # Higher with each choice: of two homes the later one dials.
    claim: str  # Tells two copies apart that were adopted alike.
    traits: dict[str, str]  # What no copy of the log shares with the home. Empty: nowhere.
    place: str  # The home's name for people: host and path, or cluster.
    why: str
    chosen_at: Instant


# Closed: see assert_never in every fold.
AnyCallFact = CallRequested | CallStarted | CallAbandoned | CallEnded | CallLate
AnyCampaignFact = (
    CampaignCreated
    | CampaignUpdated
    | CampaignDeleted
    | CampaignScheduled
    | CampaignUnscheduled
    | CampaignDue
    | RunEnded
    | CampaignFailed
    | CampaignStarted
    | CampaignPaused
    | CampaignResumed
    | CampaignStopped
    | CampaignCompleted
    | CampaignRearmed
    | ContactExhausted
    | ContactSkipped
    | ContactErased
    | CampaignErased
    | ContactsReplaced
    | ImportStarted
    | ImportCompleted
    | ImportFailed
    | AnyCallFact
)
AnyKeyFact = ApiKeyCreated | ApiKeyRevoked
AnyWebhookFact = (
    WebhookCreated | WebhookChanged | WebhookSecretRotated | WebhookReplayAsked | WebhookEnded
)
AnyOrganizationFact = AnyKeyFact | AnyWebhookFact
AnyInstallationFact = LevelRaised | RecordSkipped | HomeChosen
ListRows = ContactsAdded | ContactsEncrypted  # A chunk of a list.
ListEvent = ListRows | ListClosed
AnyFact = AnyCampaignFact | ListEvent | CreateKeyed | AnyOrganizationFact | AnyInstallationFact
FACTS: tuple[type[AnyFact], ...] = get_args(AnyFact)
TAGS: dict[str, type[AnyFact]] = {fact.TYPE: fact for fact in FACTS}  # The only way to a class.
