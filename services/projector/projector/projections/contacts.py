"""Projection: the state of each contact that was ever called; and what it was earlier. Pure.

A stop or a replacing import changes no row: queries derive the status that they show.

Positions are counted in stretches. Before a contact's first change in a stretch, what it is until
then is kept: so the contacts at the begin of a stretch are those of the present, but for the ones
that have changed since (`store.earlier_contacts`).
"""

from copy import copy

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, current, evolve_contact, exhaust, select
from campaigns.domain.facts import (
    AnyCallFact,
    CampaignRearmed,
    ContactExhausted,
)
from projector.projections.changes import Changes, Place

STRETCH = 16_384  # Positions: at most so many records are folded for an answer about the past.


def project(changes: Changes, campaign: Campaign, fact: AnyCallFact, position: int) -> None:
    """Fold a call fact into its contact. `campaign` has folded it already."""
    place = (fact.campaign_id, fact.contact_id)
    _keep(changes, place, position)
    contact = current(campaign, changes.contacts.get(place) or Contact(fact.contact_id))
    changes.contacts[place] = evolve_contact(contact, campaign, fact)


def project_exhausted(
    changes: Changes, campaign: Campaign, fact: ContactExhausted, position: int
) -> None:
    """Fold that a contact gets no further attempt."""
    place = (fact.campaign_id, fact.contact_id)
    _keep(changes, place, position)
    changes.contacts[place] = exhaust(_found(changes, campaign, place), fact)


def project_rearmed(
    changes: Changes, campaign: Campaign, fact: CampaignRearmed, position: int
) -> None:
    """Fold a re-arming into the contacts that it names; for others the status is derived."""
    for contact_id in fact.contact_ids:
        place = (fact.campaign_id, contact_id)
        _keep(changes, place, position)
        changes.contacts[place] = select(campaign, _found(changes, campaign, place))


def _keep(changes: Changes, place: Place, position: int) -> None:
    """Keep a contact as it is, before its first change in a stretch (in this batch, at least)."""
    key = (place[0], position // STRETCH, place[1])
    if key not in changes.earlier:
        changes.earlier[key] = copy(changes.contacts.get(place))


def places_of(fact: object) -> list[Place]:
    """Return the contacts that a fact names, other than a call fact."""
    if isinstance(fact, ContactExhausted):
        return [(fact.campaign_id, fact.contact_id)]
    if isinstance(fact, CampaignRearmed):
        return [(fact.campaign_id, contact_id) for contact_id in fact.contact_ids]
    return []


def _found(changes: Changes, campaign: Campaign, place: Place) -> Contact:
    return current(campaign, changes.contacts.get(place) or Contact(place[1]))
