"""The frames that sockets send, in the three vocabularies that clients know. Pure.

Times are text with `+00:00`: the SDK reads `timestamp` of each frame before its type.
Source: contract 6 and 8.3 rows 22 and 23.
"""

import heapq
from datetime import datetime

import orjson

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus, shown
from campaigns.domain.values.instants import instant
from campaigns.domain.values.rows import Row
from campaigns.http.campaign_json import Shape, percent
from projector.queries.shapes import progress_shape

OVERVIEW_MAX = 1000  # Campaigns.
OVERVIEW_MAX_BYTES = 512 * 1024  # Of them, as JSON.
ONGOING = frozenset({ContactStatus.PENDING, ContactStatus.IN_PROGRESS})


def ack(campaign_id: int | None, now: datetime) -> Shape:
    """Return the acknowledgement of a connection, with the time in both documented formats."""
    shape = {"type": "connection_ack", "timestamp": instant(now), "timestamp_unix": now.timestamp()}
    return shape if campaign_id is None else shape | {"campaign_id": campaign_id}


def initial(campaign: Campaign, activity: list[Shape]) -> Shape:
    """Return the state of a campaign for a new client."""
    return {"type": "initial_progress", "data": _state(campaign) | {"recent_activity": activity}}


def update(campaign: Campaign) -> Shape:
    """Return the state of a campaign, in the documentation's vocabulary."""
    return {"type": "progress_update", "data": _state(campaign)}


def _state(campaign: Campaign) -> Shape:
    whole = progress_shape(campaign, [])
    names = ("campaign_id", "status", "progress", "started_at", "completed_at")
    return {name: whole[name] for name in names}


def progress(campaign: Campaign, now: datetime) -> Shape:
    """Return the state of a campaign, in the SDK's vocabulary, flat and nested.

    `completed_contacts` counts contacts that were reached, and in `data` those that are done
    (contract 9.15).
    """
    whole, counters = progress_shape(campaign, []), campaign.counters
    names = (
        "total_contacts", "completed_contacts", "failed_contacts", "pending_contacts",
        "in_progress_contacts", "completion_percentage", "success_rate",
    )  # fmt: skip
    return {
        "type": "progress",
        "campaign_id": campaign.campaign_id,
        "timestamp": instant(now),
        **{name: whole[name] for name in names},
        "data": {
            "total_contacts": counters.total,
            "completed_contacts": counters.completed + counters.failed,
            "successful_contacts": counters.completed,
            "failed_contacts": counters.failed,
            "pending_contacts": counters.pending,
            "success_rate": whole["success_rate"],
        },
    }


def contact_frames(
    campaign: Campaign, contact: Contact, row: Row | None, now: datetime
) -> list[Shape]:
    """Return the state of a contact, and its outcome once it is done."""
    status, number = shown(campaign, contact), row.phone_number if row else ""
    duration = round(contact.duration_s)
    frames: list[Shape] = [
        {
            "type": "contact_update",
            "campaign_id": campaign.campaign_id,
            "timestamp": instant(now),
            "contact_id": contact.contact_id,
            "phone_number": number,
            "status": status.value,
            "call_sid": contact.call_id,
            "call_duration": duration if contact.ended_at else None,
            "error_message": contact.error,
        }
    ]
    if status not in ONGOING:
        reached = status is ContactStatus.COMPLETED
        done = {
            "phone_number": number,
            "name": row.name if row else None,
            "outcome": "success" if reached else status.value,
            "duration": duration,
            "call_sid": contact.call_id,
        }
        frames.append(
            {
                "type": "contact_completed",
                "campaign_id": campaign.campaign_id,
                "timestamp": instant(now),
                "data": done,
            }
        )
    return frames


def completed(campaign: Campaign, now: datetime) -> Shape:
    """Return the frame of a campaign's completion."""
    counters = campaign.counters
    rate = percent(counters.completed, counters.completed + counters.failed)
    return {
        "type": "campaign_completed",
        "campaign_id": campaign.campaign_id,
        "timestamp": instant(now),
        "total_contacts": counters.total,
        "completed_contacts": counters.completed,
        "failed_contacts": counters.failed,
        "success_rate": rate,
        "total_duration": round(campaign.talk_s),
        "total_cost": 0.0,
        "data": {"total_contacts": counters.total, "success_rate": rate},
    }


def monitor_row(campaign: Campaign) -> Shape:
    """Return one campaign of the monitor."""
    return {
        "campaign_id": campaign.campaign_id,
        "name": campaign.created.name,
        "status": campaign.status.value,
        "progress": progress_shape(campaign, [])["progress"],
    }


def overview(campaigns: list[Campaign], now: datetime) -> Shape:
    """Return the newest campaigns for a new monitor; `left_out` counts the older ones.

    OVERVIEW_MAX and OVERVIEW_MAX_BYTES bound it; the list of campaigns has all of them.
    """
    newest = heapq.nlargest(OVERVIEW_MAX, campaigns, key=lambda one: one.campaign_id)
    shown_now, weight = list[Shape](), 0
    for campaign in newest:
        shape = monitor_row(campaign)
        weight += len(orjson.dumps(shape)) + 1
        if weight > OVERVIEW_MAX_BYTES:
            break
        shown_now.append(shape)
    shown_now.reverse()
    shape = {"type": "overview", "timestamp": instant(now), "campaigns": shown_now}
    left_out = len(campaigns) - len(shown_now)
    return shape | {"left_out": left_out} if left_out else shape


def changed(campaign: Campaign, now: datetime) -> Shape:
    """Return the state of one campaign for a monitor."""
    return {"type": "campaign_update", "timestamp": instant(now), "data": monitor_row(campaign)}


def history(points: list[tuple[datetime, int, int]]) -> Shape:
    """Return a campaign's counters over time, from points of time, completed and failed."""
    return {
        "type": "metrics_history",
        "data": [
            {
                "timestamp": instant(at),
                "completed": reached,
                "failed": failed,
                "success_rate": percent(reached, reached + failed),
            }
            for at, reached, failed in points
        ],
    }
