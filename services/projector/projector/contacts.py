"""Projection: what became of each contact that was ever asked for. Pure.

A stop or a replacing import changes nothing here: what people see is derived when they ask.
"""

from campaigns.campaign import Campaign, Contact, evolve_contact, exhaust
from campaigns.facts import CallEvent, ContactExhausted
from projector.changes import Changes


def project(changes: Changes, campaign: Campaign, fact: CallEvent) -> None:
    """Fold one call fact into its contact. `campaign` has folded it already."""
    place = (fact.campaign_id, fact.contact_id)
    contact = changes.contacts.get(place) or Contact(fact.contact_id)
    changes.contacts[place] = evolve_contact(contact, campaign, fact)


def project_exhausted(changes: Changes, fact: ContactExhausted) -> None:
    """Fold in that a contact gets no further attempt."""
    place = (fact.campaign_id, fact.contact_id)
    changes.contacts[place] = exhaust(changes.contacts.get(place) or Contact(fact.contact_id), fact)
