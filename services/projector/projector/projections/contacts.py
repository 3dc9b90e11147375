"""Projection: the state of each contact that was ever called. Pure.

A stop or a replacing import changes no row: queries derive the status that they show.
"""

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, current, evolve_contact, exhaust, select
from campaigns.domain.facts import (
    AnyCallFact,
    CallFact,
    CampaignFact,
    CampaignRearmed,
    ContactExhausted,
)
from campaigns.records.log_entry import Recorded
from projector.projections.changes import Changes, Place


def project(changes: Changes, campaign: Campaign, fact: AnyCallFact) -> None:
    """Fold a call fact into its contact. `campaign` has folded it already."""
    place = (fact.campaign_id, fact.contact_id)
    contact = current(campaign, changes.contacts.get(place) or Contact(fact.contact_id))
    changes.contacts[place] = evolve_contact(contact, campaign, fact)


def project_exhausted(changes: Changes, campaign: Campaign, fact: ContactExhausted) -> None:
    """Fold that a contact gets no further attempt."""
    place = (fact.campaign_id, fact.contact_id)
    changes.contacts[place] = exhaust(_found(changes, campaign, place), fact)


def project_rearmed(changes: Changes, campaign: Campaign, fact: CampaignRearmed) -> None:
    """Fold a re-arming into the contacts that it names; for others the status is derived."""
    for contact_id in fact.contact_ids:
        place = (fact.campaign_id, contact_id)
        changes.contacts[place] = select(campaign, _found(changes, campaign, place))


def project_record(
    changes: Changes, campaigns: Campaigns, campaign_id: int, recorded: Recorded
) -> None:
    """Fold a record into one campaign and its contacts alone, for a look at the past."""
    for fact in recorded.facts:
        if not isinstance(fact, CampaignFact) or fact.campaign_id != campaign_id:
            continue
        campaign = campaigns.fold(fact, recorded)
        if campaign is None:
            continue  # Facts of before it was created.
        if isinstance(fact, CallFact):
            project(changes, campaign, fact)
        elif isinstance(fact, ContactExhausted):
            project_exhausted(changes, campaign, fact)
        elif isinstance(fact, CampaignRearmed):
            project_rearmed(changes, campaign, fact)


def places_of(fact: object) -> list[Place]:
    """Return the contacts that a fact names, other than a call fact."""
    if isinstance(fact, ContactExhausted):
        return [(fact.campaign_id, fact.contact_id)]
    if isinstance(fact, CampaignRearmed):
        return [(fact.campaign_id, contact_id) for contact_id in fact.contact_ids]
    return []


def _found(changes: Changes, campaign: Campaign, place: Place) -> Contact:
    return current(campaign, changes.contacts.get(place) or Contact(place[1]))
