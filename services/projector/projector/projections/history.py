"""Projection: how far a campaign was, minute by minute, by the facts' own times. Pure."""

from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import (
    AnyCampaignFact,
    CallEnded,
    CampaignDue,
    CampaignRearmed,
    CampaignStarted,
    ContactExhausted,
)
from projector.projections.changes import Changes

_MINUTE_S = 60


def minute_of(at: datetime) -> int:
    """Return the minute of a time, since 1970."""
    return int(at.timestamp() // _MINUTE_S)


def project(changes: Changes, campaign: Campaign, fact: AnyCampaignFact) -> None:
    """Say what a fact changes. `campaign` has folded it already; of a minute the last counts."""
    match fact:
        case CallEnded():
            at = fact.ended_at
        case ContactExhausted():
            at = fact.exhausted_at
        case CampaignStarted() | CampaignDue():
            at = fact.started_at
        case CampaignRearmed():
            at = fact.rearmed_at
        case _:
            return  # It changes neither.
    counters = campaign.counters
    changes.history[campaign.campaign_id, minute_of(at)] = (counters.completed, counters.failed)
