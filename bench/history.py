"""A history to measure folds with: one long campaign, as the services would have recorded it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from campaigns.domain.facts import (
    AnyFact,
    CallEnded,
    CallRequested,
    CallStarted,
    CampaignCreated,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignType,
    ContactsAdded,
    Disposition,
)
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import Stream
from campaigns.records.record import Record

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CAMPAIGN = 12  # Of partition 0, with 1 partition or with 12.
ROWS_A_CHUNK = 1_000
PAUSED_EVERY = 500  # Calls.


def history(contacts: int) -> Iterator[Record]:
    """Yield a campaign's records: its list, its life, and three records for each call."""
    versions: dict[Stream, int] = {}

    def record(*facts: AnyFact, guard: Stream | None = None, record_id: str = "") -> Record:
        condition = {fact.stream: versions.get(fact.stream, 0) for fact in facts}
        if guard is not None:
            condition[guard] = versions.get(guard, 0)
        for fact in facts:
            versions[fact.stream] = versions.get(fact.stream, 0) + 1
        return Record(
            id=record_id or f"{len(versions):032x}",
            time=NOON,
            source="dialer/host-1-abcdef",
            actor="dialer",
            correlation_id="0" * 32,
            causation_id=None,
            condition=condition,
            facts=facts,
        )

    for first in range(1, contacts + 1, ROWS_A_CHUNK):
        rows = tuple(
            Row(phone_number=f"+1555{n:07d}", name=f"Contact {n}", variables={"name": f"C {n}"})
            for n in range(first, min(first + ROWS_A_CHUNK, contacts + 1))
        )
        yield record(ContactsAdded(import_id="list", first_row=first, rows=rows))
    yield record(_created(contacts))
    yield record(CampaignStarted(campaign_id=CAMPAIGN, run=1, started_at=NOON))
    guard = Stream(f"campaign/{CAMPAIGN}")
    for contact in range(1, contacts + 1):
        call: dict[str, Any] = {  # Any: the fields that every fact of a call has.
            "campaign_id": CAMPAIGN, "contact_id": contact, "run": 1, "attempt": 1,
        }  # fmt: skip
        call_id = f"{contact:032x}"
        now = NOON + timedelta(seconds=contact)
        requested = CallRequested(
            **call,
            call_id=call_id,
            requested_at=now,
            ring_by=now + timedelta(seconds=2),
            lease_s=2.0,
            carrier_timeout_s=5.0,
            refuses_late=True,
        )
        yield record(requested, guard=guard, record_id=call_id)
        yield record(CallStarted(**call, call_id=call_id, started_at=now))
        yield record(
            CallEnded(
                **call,
                call_id=call_id,
                disposition=Disposition.ANSWERED,
                duration_s=1.5,
                error=None,
                retry_at=None,
                ended_at=now + timedelta(seconds=2),
            )
        )
        if contact % PAUSED_EVERY == 0:
            yield record(CampaignPaused(campaign_id=CAMPAIGN, reason=None, paused_at=now))
            yield record(CampaignResumed(campaign_id=CAMPAIGN, reason=None, resumed_at=now))


def raw_history(records: int) -> list[bytes]:
    """Return the first `records` records as the log stores them."""
    return [record.encode() for record in islice(history(records // 3 + 1), records)]


def _created(contacts: int) -> CampaignCreated:
    return CampaignCreated(
        campaign_id=CAMPAIGN,
        organization_id=1,
        assistant_id=1,
        name="Benchmark",
        description=None,
        campaign_type=CampaignType.CALL,
        welcome_message_template="Hello {{name}}",
        agenda_template=None,
        end_call_message_template=None,
        sms_message_template=None,
        fallback_values={},
        variable_mappings={},
        available_variables=("name",),
        settings=CampaignSettings(max_attempts=1, calls_per_minute=60_000),
        phone_number_id=None,
        pending_import=None,
        import_id="list",
        rows=contacts,
        created_at=NOON,
    )
