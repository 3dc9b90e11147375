"""Projection: the state of each contact that was ever called. Pure.

A stop or a replacing import changes no row: queries derive the status that they show.
"""

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, current, evolve_contact, exhaust, select
from campaigns.domain.facts import (
    AnyCallFact,
    CampaignRearmed,
    ContactExhausted,
)
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


def places_of(fact: object) -> list[Place]:
    """Return the contacts that a fact names, other than a call fact."""
    if isinstance(fact, ContactExhausted):
        return [(fact.campaign_id, fact.contact_id)]
    if isinstance(fact, CampaignRearmed):
        return [(fact.campaign_id, contact_id) for contact_id in fact.contact_ids]
    return []


def _found(changes: Changes, campaign: Campaign, place: Place) -> Contact:
    return current(campaign, changes.contacts.get(place) or Contact(place[1]))
