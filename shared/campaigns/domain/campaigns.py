"""All campaigns, as one reader has folded them. Pure; services add what only they need."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Protocol

from campaigns.domain.call_evolution import CALLS
from campaigns.domain.campaign import Campaign
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import AnyCallFact, AnyCampaignFact, CallLate


class Numbered(Protocol):
    """A partition, as far as a fold needs to know it."""

    @property
    def number(self) -> int:
        """Return its number."""


class Recording(Protocol):
    """Where a fact stands in the log, and for whom it was recorded."""

    position: int

    @property
    def partition(self) -> Numbered:
        """Return its partition."""

    @property
    def actor(self) -> str:
        """Return the actor."""


@dataclass
class Campaigns:
    """Campaign id → state. `dirty`: the campaigns that changed since the last checkpoint."""

    by_id: dict[int, Campaign] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    highest_by_partition: dict[int, int] = field(default_factory=dict)  # Ids given so far.
    permissions: int = 0  # Those that are open, of all campaigns: counted, for each scrape.
    late_calls: int = 0  # Of all campaigns, ever.
    _importing: set[int] = field(default_factory=set)  # Those with an announced import.

    def get(self, campaign_id: int) -> Campaign | None:
        """Return a campaign, or None when there is none."""
        return self.by_id.get(campaign_id)

    def fold(self, fact: AnyCampaignFact, recorded: Recording) -> Campaign | None:
        """Fold one fact; return its campaign, or None if that was never created."""
        found = self.by_id.get(fact.campaign_id)
        if (call := CALLS.get(type(fact))) is not None:  # Nearly all facts of a log: `fold_call`.
            if found is not None:
                self.permissions += call(found, fact, recorded.position)
                self.dirty.add(fact.campaign_id)
                self.late_calls += type(fact) is CallLate
            return found
        partition, actor = recorded.partition.number, recorded.actor
        campaign = evolve(found, fact, recorded.position, partition=partition, actor=actor)
        if campaign is not None:
            if found is None:
                self.take(campaign, partition)
            self.dirty.add(fact.campaign_id)
            self._index(campaign)
        return campaign

    def fold_call(self, campaign: Campaign, fact: AnyCallFact, position: int) -> None:
        """Fold a fact about a call of a known campaign, as `fold` does, but faster."""
        self.permissions += CALLS[type(fact)](campaign, fact, position)
        self.dirty.add(fact.campaign_id)
        self.late_calls += type(fact) is CallLate

    def take(self, campaign: Campaign, partition: int) -> None:
        """Add a campaign as it is, also from a checkpoint."""
        self.by_id[campaign.campaign_id] = campaign
        highest = self.highest_by_partition.get(partition, 0)
        self.highest_by_partition[partition] = max(highest, campaign.campaign_id)
        self.permissions += len(campaign.permissions())
        self.late_calls += campaign.late_calls
        self._index(campaign)

    def become(self, other: "Campaigns") -> None:
        """Take over all campaigns of another fold, which is not used any more."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def importing(self) -> Iterator[Campaign]:
        """Yield the campaigns with an announced import in progress, without scanning the others."""
        return map(self.by_id.__getitem__, self._importing)

    def _index(self, campaign: Campaign) -> None:
        if campaign.importing is not None:
            self._importing.add(campaign.campaign_id)
        else:
            self._importing.discard(campaign.campaign_id)
