"""A lifecycle command as an HTTP route serves it. Pure."""

from dataclasses import dataclass
from typing import Generic

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Reason
from command_api.commands.lifecycle import M


@dataclass(frozen=True, slots=True)
class Verb(Generic[M]):
    """How a command is named and decided, and what its route does besides."""

    name: str  # In the metrics.
    decider: Decider[Campaigns, M, Campaign | None]
    done: str  # The participle in the messages: "Campaign would be …".
    # Rejections that say that nothing runs: they wait at the barrier, as success does.
    settled_reasons: frozenset[Reason] = frozenset()
    repeatable_when_deleted: bool = False  # Its Idempotency-Key outlives the campaign.
