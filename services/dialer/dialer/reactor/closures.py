"""Contacts that wait in vain are closed: offered once, and again if the log loses it. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact
from campaigns.domain.moves import Status
from campaigns.gates.room import Reading
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Clocks
from dialer.decisions.exhaustion import EXHAUST, ExhaustContact
from dialer.reactor.state import State


def close_again(state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]) -> None:
    """Offer again to close whom the log has not closed in time: nothing else brings them up."""
    queue = state.queue(campaign.campaign_id)
    if campaign.status is not Status.RUNNING or not state.works(campaign.campaign_id):
        return
    while queue.exhausting:
        contact_id, offered_at = next(iter(queue.exhausting.items()))  # Offered first.
        if clocks.boot < (again_at := offered_at + state.terms.resend_s):
            state.wake(again_at, campaign.campaign_id)
            return
        del queue.exhausting[contact_id]
        contact = state.index.get(campaign, contact_id)
        close(state, campaign, contact, clocks, effects)
        if contact_id not in queue.exhausting:  # It may be called after all.
            queue.give_back(contact_id)


def close(
    state: State, campaign: Campaign, contact: Contact, clocks: Clocks, effects: list[Effect]
) -> None:
    """Close a contact that is forgotten, or whose attempts a lowered `max_attempts` has spent."""
    campaign_id, contact_id = campaign.campaign_id, contact.contact_id
    queue = state.queue(campaign_id)
    command = ExhaustContact(campaign_id, contact_id, clocks.now)
    if isinstance(facts := EXHAUST.decide(Reading(campaign, contact), command), tuple):
        queue.exhausting[contact_id] = clocks.boot
        record_id = state.new_id()
        state.offers[record_id] = campaign_id
        effects.append(Offer(record_id, campaign_id, facts, EXHAUST.streams(command), None))
