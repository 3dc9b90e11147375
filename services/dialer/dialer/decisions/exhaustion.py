"""Close contacts that wait in vain: no attempt is left, or they are forgotten. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.decider import Decider, Decision, Reason, Rejected
from campaigns.domain.facts import ContactExhausted, ContactSkipped, SkipReason
from campaigns.domain.values.stream_names import Stream, campaign_stream, contact_stream
from campaigns.gates.gates import attempts_left, campaign_running, contact_pending, not_erased
from campaigns.gates.room import Reading


@dataclass(frozen=True, slots=True)
class ExhaustContact:
    """Close a contact that gets no further attempt."""

    campaign_id: int
    contact_id: int
    now: datetime


def decide(reading: Reading, command: ExhaustContact) -> Decision:
    """Close the contact if it is forgotten, or if its spent attempts alone keep it waiting."""
    for gate in (campaign_running, contact_pending):
        if shut := gate(reading, command.now):
            return shut
    contact = reading.contact
    assert contact is not None, "one contact is closed"
    if not_erased(reading, command.now):
        return (
            ContactSkipped(
                campaign_id=command.campaign_id,
                contact_id=command.contact_id,
                run=reading.campaign.run,
                reason=SkipReason.ERASED,
                tried=contact.ever,
                skipped_at=command.now,
            ),
        )
    if attempts_left(reading, command.now) is None or contact.attempts < 1:
        return Rejected(Reason.TOO_SOON, "attempts are left")
    return (
        ContactExhausted(
            campaign_id=command.campaign_id,
            contact_id=command.contact_id,
            run=reading.campaign.run,
            attempts=contact.attempts,
            exhausted_at=command.now,
        ),
    )


def streams(command: ExhaustContact) -> tuple[Stream, ...]:
    """Name what is written, and the guard: settings may be raised again at the last moment."""
    return (
        contact_stream(command.campaign_id, command.contact_id),
        campaign_stream(command.campaign_id),
    )


EXHAUST: Decider[Reading, ExhaustContact, Reading] = Decider(
    streams=streams, read=lambda reading, _: reading, decide=decide
)
