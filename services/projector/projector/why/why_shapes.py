"""The JSON of reasons: why a campaign is idle, why a contact is not called. Pure."""

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from campaigns.audit.contact_history import HistoryEntry
from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus, shown
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.moves import Status
from campaigns.http.campaign_json import Shape, at

# What the log cannot tell. Source: ADR-0031.
MAY_CALL = "every gate that the log can tell of is open: it is for the dialer to call"
WHY: dict[str, Any] = {
    "contact_id": 7,
    "status": "pending",
    "now": {
        "may_call": False, "gate": "outside-hours", "text": "outside the calling hours",
        "retry_at": "2026-03-02T09:00:00+00:00",
    },
    "history": [
        {
            "at": "2026-03-01T10:00:00+00:00", "position": "0@3", "actor": "organization/1 key 76",
            "what": "campaign-created.v1", "text": "listed when the campaign was created",
        },
    ],
    "history_from": None,
}  # fmt: skip


class Idle(BaseModel):
    """Why a running campaign asks for no call now."""

    gate: Reason
    text: str
    retry_at: AwareDatetime | None  # When the gate opens. None: it waits for an event.


class Now(BaseModel):
    """Whether a contact may be called now, as far as the log can tell."""

    may_call: bool
    gate: Reason | None
    text: str
    retry_at: AwareDatetime | None


class ContactFact(BaseModel):
    """One fact of a contact's history."""

    at: AwareDatetime
    position: str
    actor: str
    what: str
    text: str


class WhyAnswer(BaseModel):
    """Why a contact is not called now, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [WHY]})

    contact_id: int
    status: ContactStatus
    now: Now
    history: list[ContactFact]
    history_from: str | None  # Earlier facts are not looked for. None: all are there.


def idle_shape(campaign: Campaign, shut: Rejected | None) -> Shape | None:
    """Return why a campaign is idle. None: it does not run.

    `shut`: the first gate that is shut for the campaign as a whole.
    """
    if campaign.status is not Status.RUNNING:
        return None
    shut = shut or Rejected(Reason.AWAITS_DIALER, MAY_CALL)
    return {"gate": shut.reason.value, "text": shut.detail, "retry_at": at(shut.retry_at)}


def why_shape(
    campaign: Campaign,
    contact: Contact,
    shut: Rejected | None,
    history: Sequence[HistoryEntry],
    history_from: str | None,
) -> Shape:
    """Return why a contact is not called. `shut`: the first gate that is shut for it."""
    return {
        "contact_id": contact.contact_id,
        "status": shown(campaign, contact).value,
        "now": {
            "may_call": shut is None,
            "gate": shut.reason.value if shut else None,
            "text": shut.detail if shut else MAY_CALL,
            "retry_at": at(shut.retry_at) if shut else None,
        },
        "history": [{**one._asdict(), "at": at(one.at)} for one in history],
        "history_from": history_from,
    }
