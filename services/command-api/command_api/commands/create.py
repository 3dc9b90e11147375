"""Create a campaign, with its first contacts if it has any. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.decider import Facts
from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignType,
    CreateKeyed,
    ListClosed,
    ListRows,
)
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.schedule import Schedule
from campaigns.domain.values.stream_names import Stream, create_stream
from command_api.commands.schedule import campaign_scheduled


@dataclass(frozen=True, slots=True)
class CreateCampaign:
    """Create a campaign."""

    organization_id: int
    assistant_id: int
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
    phone_number_id: int | None
    pending_import: dict[str, object] | None
    now: datetime
    schedule: Schedule | None = None


def key_digest(key: str) -> str:
    """Return an Idempotency-Key as its stream's name has it: hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def partition_number(digest: str, partitions: int) -> int:
    """Return the partition of a create with a key: the same one on every instance."""
    return int(digest, 16) % partitions


def free_id(highest: int, kth: int, partition: int, partitions: int) -> int:
    """Return the k-th free id of a partition above the highest id in use (0: none is).

    An instance gives each of its creates in flight another k, so that they do not refuse one
    another; gaps are fine (architecture "Commands").
    """
    first = partition or partitions  # Ids begin at 1.
    after = highest or first - partitions
    return after + kth * partitions


def keyed_stream(organization_id: int, digest: str) -> Stream:
    """Return the stream that makes a keyed create happen once."""
    return create_stream(organization_id, digest)


def decide(
    command: CreateCampaign,
    campaign_id: int,
    *,
    keyed: tuple[str, str] | None,
    import_id: str | None,
    rows: int,
    chunks: Sequence[ListRows],
    closed: ListClosed | None = None,
) -> Facts:
    """Create the campaign under a free id. It is never rejected.

    `keyed`: digests of key and request. `rows`: of the list `import_id`, all of which stands in
    `chunks` when it fits into this record, and in the log already when it does not; then `closed`.
    """
    created = CampaignCreated(
        campaign_id=campaign_id,
        organization_id=command.organization_id,
        assistant_id=command.assistant_id,
        name=command.name,
        description=command.description,
        campaign_type=command.campaign_type,
        welcome_message_template=command.welcome_message_template,
        agenda_template=command.agenda_template,
        end_call_message_template=command.end_call_message_template,
        sms_message_template=command.sms_message_template,
        fallback_values=command.fallback_values,
        variable_mappings=command.variable_mappings,
        available_variables=command.available_variables,
        settings=command.settings,
        phone_number_id=command.phone_number_id,
        pending_import=command.pending_import,
        import_id=import_id,
        rows=rows,
        created_at=command.now,
    )
    later: tuple[AnyFact, ...] = ()
    if command.schedule is not None:
        later = (campaign_scheduled(campaign_id, command.schedule, command.now),)
    if closed is not None:
        later = (*later, closed)
    if keyed is None:
        return (*chunks, created, *later)
    digest, request = keyed
    return (
        *chunks,
        created,
        *later,
        CreateKeyed(
            organization_id=command.organization_id,
            digest=digest,
            campaign_id=campaign_id,
            request_digest=request,
        ),
    )
