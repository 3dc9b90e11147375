"""A command of a campaign's life as it is asked for over HTTP: what tells it from others. Pure."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Reason
from command_api.commands.lifecycle import MoveCampaign

M = TypeVar("M", bound=MoveCampaign)


@dataclass(frozen=True, slots=True)
class Verb(Generic[M]):
    """How a command is named and decided, and what its route does besides."""

    name: str  # As metrics count it.
    decider: Decider[Campaigns, M, Campaign | None]
    done: str  # What the campaign is then, as its messages say.
    quiet: frozenset[Reason] = frozenset()  # A no that says that nothing runs waits as a yes does.
    repeatable_when_deleted: bool = False  # Its Idempotency-Key outlives the campaign.
