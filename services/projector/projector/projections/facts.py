"""Projects the facts of a record into all views. Pure.

Each fact is folded into its campaign first; the projections read the campaign as it is then.
"""

from typing import assert_never

from campaigns.domain.call_evolution import CALLS
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import (
    AnyCallFact,
    AnyCampaignFact,
    AnyFact,
    ApiKeyCreated,
    ApiKeyRevoked,
    CallEnded,
    CampaignCreated,
    CampaignFact,
    CampaignRearmed,
    ContactErased,
    ContactExhausted,
    ContactsAdded,
    ContactsEncrypted,
    ContactSkipped,
    CreateKeyed,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    InstallationFact,
    ListClosed,
    WebhookFact,
)
from campaigns.domain.webhooks import Webhooks
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from projector.projections import contacts, executions, history, imports, lists
from projector.projections.changes import Changes


def project(
    changes: Changes, campaigns: Campaigns, webhooks: Webhooks, recorded: Recorded, ordinal: int
) -> int:
    """Fold and project a record's facts; return the ordinal of its last fact.

    `ordinal`: how many facts its partition accepted before.
    """
    for fact in recorded.facts:
        ordinal += 1
        if type(fact) in CALLS:  # Most facts of a log: the shortest way.
            _call(changes, campaigns, recorded.position, fact)  # type: ignore[arg-type]  # Looked up.
        else:
            _other(changes, campaigns, webhooks, recorded, fact, ordinal)
    return ordinal


def _call(changes: Changes, campaigns: Campaigns, position: int, fact: AnyCallFact) -> None:
    campaign = campaigns.by_id.get(fact.campaign_id)
    if campaign is None:
        return  # Facts of a campaign that was never created.
    if (project := executions.PROJECTIONS.get(type(fact))) is None:
        campaigns.fold_call(campaign, fact, position)
        contacts.project(changes, campaign, fact, position)
        return
    before, call = campaign.executions, campaign.calls.get(fact.call_id)
    campaigns.fold_call(campaign, fact, position)
    contacts.project(changes, campaign, fact, position)
    project(changes, campaign, call, before, fact)
    if type(fact) is CallEnded:
        history.note(changes, campaign, fact.ended_at)


def _other(
    changes: Changes,
    campaigns: Campaigns,
    webhooks: Webhooks,
    recorded: Recorded,
    fact: AnyFact,
    ordinal: int,
) -> None:
    match fact:
        case CampaignFact():
            _campaign(changes, campaigns, recorded, fact, ordinal)
        case ContactsAdded() | ContactsEncrypted() | ListClosed():
            lists.project(changes, fact, recorded.partition.number, ordinal)
        case ApiKeyCreated() | ApiKeyRevoked():
            changes.keys.append(fact)
        case WebhookFact():
            assert isinstance(recorded.envelope, Envelope), "an accepted record"
            webhooks.fold(fact, recorded.envelope.id, recorded.position)
            changes.webhooks[fact.webhook_id] = webhooks.by_id.get(fact.webhook_id)
        case CreateKeyed() | InstallationFact():
            return
        case unreachable:
            assert_never(unreachable)


def _campaign(
    changes: Changes, campaigns: Campaigns, recorded: Recorded, fact: AnyCampaignFact, ordinal: int
) -> None:
    found = campaigns.get(fact.campaign_id)
    campaign = campaigns.fold(fact, recorded)
    if campaign is None:
        return  # Facts of a campaign that was never created.
    history.project(changes, campaign, fact)
    match fact:
        case CampaignCreated():
            if found is None:
                lists.project(changes, fact, recorded.partition.number, ordinal)
        case ImportStarted():
            imports.project(changes, fact)
        case ImportCompleted() | ImportFailed():
            lists.project(changes, fact, recorded.partition.number, ordinal)
            imports.project(changes, fact)
        case ContactExhausted():
            contacts.project_exhausted(changes, campaign, fact, recorded.position)
        case ContactSkipped():
            contacts.project_skipped(changes, campaign, fact, recorded.position)
        case ContactErased():
            contacts.project_erased(changes, campaign, fact, recorded.position)
        case CampaignRearmed():
            contacts.project_rearmed(changes, campaign, fact, recorded.position)
        case _:
            return  # Lifecycle: the views derive it from the campaign's state.
