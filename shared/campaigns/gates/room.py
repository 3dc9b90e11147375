"""What gates read, and how much room it leaves: a campaign, a contact, whose turn it is. Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact


class DialerRoom(NamedTuple):
    """What one dialer knows of itself, and no other process can read in the log."""

    works: bool  # It works the campaign's partition, and is not stopping.
    asked: int  # The campaign's requests that have no ruling yet.
    rest_s: float  # How long until the campaign asks again after the log lost a request; 0: now.
    room: int  # How many more permissions carrier and log allow, over all campaigns.


class Turn(NamedTuple):
    """Who comes next in a campaign that has room."""

    contact_ids: Collection[int]  # Those for whom there is room now, in order; none: nobody is due.
    next_at: datetime | None  # When the next resting contact is due. None: nobody rests.


class Reading(NamedTuple):
    """What is known of a campaign, and of one of its contacts, at one instant."""

    campaign: Campaign
    contact: Contact | None = None  # None: the campaign as a whole.
    dialer: DialerRoom | None = None  # None: not known here.
    turn: Turn | None = None  # None: not looked up, since another gate is shut.
    unread: str | None = (
        None  # Why contacts cannot be read. None: they can, or it is not known here.
    )


def room(reading: Reading, now: datetime) -> int:
    """Return how many calls the campaign may request now, as far as lines, rate and carrier go."""
    campaign = reading.campaign
    tokens = campaign.bucket.left(campaign.settings.calls_per_minute, now) - asked_for(reading)
    found = min(lines_free(reading), int(tokens))
    return found if reading.dialer is None else min(found, reading.dialer.room)


def lines_free(reading: Reading) -> int:
    """Return how many more calls the campaign may have at once."""
    campaign = reading.campaign
    return campaign.settings.max_concurrent_calls - len(campaign.calls) - asked_for(reading)


def asked_for(reading: Reading) -> int:
    """Return how many requests of the campaign have no ruling yet, as far as is known here."""
    return reading.dialer.asked if reading.dialer is not None else 0
