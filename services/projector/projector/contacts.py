"""Projection: what became of each contact that was ever asked for. Pure.

A stop or a replacing import changes nothing here: what people see is derived when they ask.
"""

from campaigns.campaign import Campaign, Contact, evolve_contact
from campaigns.facts import CallEvent
from projector.changes import Changes


def project(changes: Changes, campaign: Campaign, fact: CallEvent) -> None:
    """Fold one call fact into its contact. `campaign` has folded it already."""
    place = (fact.campaign_id, fact.contact_id)
    contact = changes.contacts.get(place) or Contact(fact.contact_id)
    changes.contacts[place] = evolve_contact(contact, campaign, fact)
