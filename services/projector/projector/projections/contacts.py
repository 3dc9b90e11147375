"""Projection: the state of each contact that was ever called; and what it was earlier. Pure.

A stop or a replacing import changes no row: queries derive the status that they show.

Positions are counted in stretches. Before a contact's first change in a stretch, what it is until
then is kept; of a new one, in which stretch that was. So the contacts at the begin of a stretch are
those of the present, but for the ones that have changed since (`store.earlier_contacts`).
"""

from copy import copy

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, current, erase, evolve_contact, exhaust, select, skip
from campaigns.domain.facts import (
    AnyCallFact,
    CampaignRearmed,
    ContactErased,
    ContactExhausted,
    ContactSkipped,
)
from projector.projections.changes import Changes, Place

STRETCH = 16_384  # Positions: at most so many records are folded for an answer about the past.


def project(changes: Changes, campaign: Campaign, fact: AnyCallFact, position: int) -> None:
    """Fold a call fact into its contact. `campaign` has folded it already."""
    place = (fact.campaign_id, fact.contact_id)
    contact = current(campaign, _kept(changes, place, position))
    changes.contacts[place] = evolve_contact(contact, campaign, fact)


def project_exhausted(
    changes: Changes, campaign: Campaign, fact: ContactExhausted, position: int
) -> None:
    """Fold that a contact gets no further attempt."""
    place = (fact.campaign_id, fact.contact_id)
    contact = current(campaign, _kept(changes, place, position))
    changes.contacts[place] = exhaust(contact, fact)


def project_skipped(
    changes: Changes, campaign: Campaign, fact: ContactSkipped, position: int
) -> None:
    """Fold that a contact is not called in this run."""
    place = (fact.campaign_id, fact.contact_id)
    contact = current(campaign, _kept(changes, place, position))
    changes.contacts[place] = skip(contact, fact)


def project_erased(
    changes: Changes, campaign: Campaign, fact: ContactErased, position: int
) -> None:
    """Fold that a contact is forgotten."""
    place = (fact.campaign_id, fact.contact_id)
    contact = current(campaign, _kept(changes, place, position))
    changes.contacts[place] = erase(contact, fact)


def project_rearmed(
    changes: Changes, campaign: Campaign, fact: CampaignRearmed, position: int
) -> None:
    """Fold a re-arming into the contacts that it names; for others the status is derived."""
    for contact_id in fact.contact_ids:
        place = (fact.campaign_id, contact_id)
        changes.contacts[place] = select(campaign, _kept(changes, place, position))


def _kept(changes: Changes, place: Place, position: int) -> Contact:
    """Return a contact to change: before the first change in a stretch, what it is is kept."""
    stretch = position // STRETCH
    if (contact := changes.contacts.get(place)) is None:
        changes.met[place] = stretch
        return Contact(place[1])
    if (
        changes.met[place] != stretch
        and (key := (place[0], stretch, place[1])) not in changes.earlier
    ):
        changes.earlier[key] = copy(contact)
    return contact


def places_of(fact: object) -> list[Place]:
    """Return the contacts that a fact names, other than a call fact."""
    if isinstance(fact, ContactExhausted | ContactSkipped | ContactErased):
        return [(fact.campaign_id, fact.contact_id)]
    if isinstance(fact, CampaignRearmed):
        return [(fact.campaign_id, contact_id) for contact_id in fact.contact_ids]
    return []
