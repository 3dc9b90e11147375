"""Projection: where the own records of all campaigns of an organization are in the log. Pure.

From it an organization's events are read, however many records of others lie between them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignCreated
from campaigns.records.log_entry import Recorded
from projector.projections.changes import Changes
from projector.projections.records import BLOCK

Share = tuple[int, int]  # Organization id, and the number of a partition.
OwnOf = dict[Share, list[int]]  # Positions, ascending.


def own_of(campaigns: Campaigns, own: Mapping[int, Sequence[Recorded]]) -> OwnOf:
    """Return the positions of a batch's own records, by organization and partition.

    `campaigns`: as before the batch, in which others may be created.
    """
    found = dict[Share, list[Iterable[int]]]()
    for campaign_id, records in own.items():
        organization_id = _organization_of(campaigns, campaign_id, records)
        if organization_id is not None:
            share = organization_id, records[0].partition.number
            found.setdefault(share, []).append([recorded.position for recorded in records])
    return {
        share: list(some[0]) if len(some) == 1 else sorted(set().union(*some))
        for share, some in found.items()
    }


def _organization_of(
    campaigns: Campaigns, campaign_id: int, records: Sequence[Recorded]
) -> int | None:
    """Return whose campaign it is. None: it was never created; its facts are nobody's."""
    if (campaign := campaigns.get(campaign_id)) is not None:
        return campaign.created.organization_id
    for recorded in records:
        for fact in recorded.facts:
            if isinstance(fact, CampaignCreated) and fact.campaign_id == campaign_id:
                return fact.organization_id
    return None


def project(changes: Changes, tails: Mapping[Share, "array[int]"], own: OwnOf) -> None:
    """Project where they are. `tails` has the last block of each share, and is changed."""
    for share, positions in own.items():
        tail, first = tails[share], 0
        while first < len(positions):
            if len(tail) == BLOCK:
                del tail[:]
            some = positions[first : first + BLOCK - len(tail)]
            first += len(some)
            tail.extend(some)
            changes.organization_records[*share, tail[0]] = tail.tobytes()
