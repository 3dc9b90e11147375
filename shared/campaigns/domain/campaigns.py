"""All campaigns, as one reader has folded them. Pure; services add what only they need."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from campaigns.domain.call_evolution import evolve_call
from campaigns.domain.campaign import Campaign
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import AnyCallFact, AnyCampaignFact, CallFact


@dataclass
class Campaigns:
    """Campaign id → state. `dirty`: the campaigns that changed since the last checkpoint."""

    by_id: dict[int, Campaign] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    highest_by_partition: dict[int, int] = field(default_factory=dict)  # Ids given so far.
    _importing: set[int] = field(default_factory=set)  # Those with an announced import.

    def get(self, campaign_id: int) -> Campaign | None:
        """Return a campaign, or None when there is none."""
        return self.by_id.get(campaign_id)

    def fold(
        self, fact: AnyCampaignFact, position: int, partition: int, actor: str
    ) -> Campaign | None:
        """Fold one fact; return its campaign, or None if that was never created."""
        found = self.by_id.get(fact.campaign_id)
        if isinstance(fact, CallFact):  # Nearly all facts of a log, and never an import.
            if found is not None:
                self.fold_call(found, fact, position)
            return found
        campaign = evolve(found, fact, position, partition=partition, actor=actor)
        if campaign is not None:
            if found is None:
                self.take(campaign, partition)
            self.dirty.add(fact.campaign_id)
            self._index(campaign)
        return campaign

    def fold_call(self, campaign: Campaign, fact: AnyCallFact, position: int) -> None:
        """Fold a fact about a call of a known campaign, as `fold` does, but faster."""
        evolve_call(campaign, fact, position)
        self.dirty.add(fact.campaign_id)

    def take(self, campaign: Campaign, partition: int) -> None:
        """Add a campaign as it is, also from a checkpoint."""
        self.by_id[campaign.campaign_id] = campaign
        highest = self.highest_by_partition.get(partition, 0)
        self.highest_by_partition[partition] = max(highest, campaign.campaign_id)
        self._index(campaign)

    def importing(self) -> Iterator[Campaign]:
        """Yield the campaigns with an announced import in progress, without scanning the others."""
        return map(self.by_id.__getitem__, self._importing)

    def _index(self, campaign: Campaign) -> None:
        if campaign.importing is not None:
            self._importing.add(campaign.campaign_id)
        else:
            self._importing.discard(campaign.campaign_id)
