"""Projection: a campaign's counters for each minute, by the times of the facts. Pure."""

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
    """Return a time in whole minutes since 1970."""
    return int(at.timestamp() // _MINUTE_S)


def project(changes: Changes, campaign: Campaign, fact: AnyCampaignFact) -> None:
    """Project one fact. `campaign` has folded it already; the last state of a minute wins."""
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
            return  # It changes neither counter.
    note(changes, campaign, at)


def note(changes: Changes, campaign: Campaign, at: datetime) -> None:
    """Note the counters that a campaign has after a fact of this time."""
    counters = campaign.counters
    changes.history[campaign.campaign_id, minute_of(at)] = (counters.completed, counters.failed)
