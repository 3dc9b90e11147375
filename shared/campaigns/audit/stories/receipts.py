"""The evidence that a pause is answered with, computed from the campaign's state. Pure.

The command API answers with it; the story of a campaign derives it again from the log.
"""

from typing import Any

from campaigns.domain.campaign import Campaign


def receipt_shape(campaign: Campaign, position: str | None, abandoned: int = 0) -> dict[str, Any]:
    """Return the evidence for a pause's answer, as JSON.

    `position`: of the fact in the log. `abandoned`: how many permissions open there were abandoned.
    """
    return {
        "position": position,
        "calls_in_progress": len(campaign.calling()),
        "permissions_abandoned": abandoned,
        "contacts_pending": campaign.counters.pending,
        # Strict if every carrier of the run refuses late rings.
        "guarantee": "strict" if campaign.strict else "best effort",
    }
