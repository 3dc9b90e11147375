"""Fold accepted records into campaigns and their contacts: what a service folds at least."""

from typing import assert_never

from campaigns.domain.call_evolution import CALLS
from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import erase, evolve_contact, exhaust, select, skip
from campaigns.domain.facts import (
    AnyCallFact,
    AnyCampaignFact,
    CampaignCreated,
    CampaignErased,
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
    InstallationFact,
    ListClosed,
    OrganizationFact,
)
from campaigns.records.log_entry import Recorded
from campaigns.stores.contacts import Contacts


def fold_contacts(campaigns: Campaigns, contacts: Contacts, recorded: Recorded) -> None:
    """Take one accepted record in."""
    for fact in recorded.facts:
        if type(fact) in CALLS:  # Most facts of a log: the shortest way.
            _fold_call(campaigns, contacts, fact, recorded.position)  # type: ignore[arg-type]  # Looked up.
            continue
        match fact:
            case CampaignFact():
                known = campaigns.get(fact.campaign_id)
                erased = known.erased_through if known else 0  # Before this fact.
                campaign = campaigns.fold(fact, recorded)
                if campaign is not None:
                    _fold_contact(contacts, campaign, fact, erased)
            case ContactsAdded() | ContactsEncrypted():
                contacts.add(fact)
            case ListClosed():
                if not fact.counts:
                    contacts.drop(fact.import_id)
            case CreateKeyed() | OrganizationFact() | InstallationFact():
                continue
            case unreachable:
                assert_never(unreachable)


def _fold_call(campaigns: Campaigns, contacts: Contacts, fact: AnyCallFact, position: int) -> None:
    if (campaign := campaigns.get(fact.campaign_id)) is None:
        return  # It was never created.
    campaigns.fold_call(campaign, fact, position)
    contact = contacts.get(campaign, fact.contact_id)
    contacts.put(fact.campaign_id, evolve_contact(contact, campaign, fact))


def _fold_contact(
    contacts: Contacts, campaign: Campaign, fact: AnyCampaignFact, erased: int
) -> None:
    """Fold what a fact says of contacts. `erased`: up to there they were forgotten before."""
    match fact:
        case CampaignCreated(import_id=str(import_id), rows=rows):
            contacts.count(fact.campaign_id, import_id, 1, rows)
        case ImportCompleted():
            contacts.count(fact.campaign_id, fact.import_id, fact.first_contact_id, fact.rows)
        case ImportFailed():
            contacts.drop(fact.import_id)
        case CampaignRearmed():
            for contact_id in fact.contact_ids:
                contact = select(campaign, contacts.get(campaign, contact_id))
                contacts.put(fact.campaign_id, contact)
        case ContactExhausted():
            contact = contacts.get(campaign, fact.contact_id)
            contacts.put(fact.campaign_id, exhaust(contact, fact))
        case ContactSkipped():
            contact = contacts.get(campaign, fact.contact_id)
            contacts.put(fact.campaign_id, skip(contact, fact))
        case ContactErased():
            contact = contacts.get(campaign, fact.contact_id)
            contacts.put(fact.campaign_id, erase(contact, fact))
            contacts.forget(fact.campaign_id, fact.contact_id)
        case CampaignErased():
            contacts.forget_through(fact.campaign_id, erased, fact.through)
        case _:
            return  # Lifecycle: contacts' statuses are derived from it.
