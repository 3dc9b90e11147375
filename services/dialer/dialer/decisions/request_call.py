"""Request one call of one contact. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.decider import Decider, Decision
from campaigns.domain.facts import CallRequested
from campaigns.domain.values.stream_names import Stream, campaign_stream, contact_stream
from campaigns.gates.gates import first_shut
from campaigns.gates.room import Reading
from dialer.calls.lease import ring_by


@dataclass(frozen=True, slots=True)
class RequestCall:
    """Request one call of one contact."""

    call_id: str  # The id of the record that will carry the request.
    campaign_id: int
    contact_id: int
    now: datetime
    lease_s: float
    carrier_timeout_s: float
    refuses_late: bool
    carrier: str | None = None  # None: not known.


def decide(reading: Reading, command: RequestCall) -> Decision:
    """Request the next attempt, unless a gate is shut."""
    if shut := first_shut(reading, command.now):
        return shut
    contact = reading.contact
    assert contact is not None, "a call is requested of one contact"
    return (
        CallRequested(
            campaign_id=command.campaign_id,
            contact_id=command.contact_id,
            call_id=command.call_id,
            run=reading.campaign.run,
            attempt=contact.attempts + 1,
            requested_at=command.now,
            ring_by=ring_by(command.now, command.lease_s),
            lease_s=command.lease_s,
            carrier_timeout_s=command.carrier_timeout_s,
            refuses_late=command.refuses_late,
            tried=contact.tried,
            carrier=command.carrier,
        ),
    )


def streams(command: RequestCall) -> tuple[Stream, ...]:
    """Name what is written, and the guard: a pause refuses every request decided before it."""
    return (
        contact_stream(command.campaign_id, command.contact_id),
        campaign_stream(command.campaign_id),
    )


REQUEST_CALL: Decider[Reading, RequestCall, Reading] = Decider(
    streams=streams, read=lambda reading, _: reading, decide=decide
)
