"""How people are forgotten: a fact says who, then their keys are deleted (ADR-0041). Pure.

A fact that is recorded is carried out by whoever folds it, so nothing is lost between the two.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from campaigns.domain.facts import AnyFact, CampaignErased, ContactErased

WHOLE_LIST = 0  # In place of a row's number: 1 is a list's first.


class ErasedRow(NamedTuple):
    """What a fact made unreadable: one row of a list, or WHOLE_LIST."""

    key_id: str
    row: int


def contact_erased(
    campaign_id: int, contact_id: int, place: ErasedRow, now: datetime
) -> ContactErased:
    """Return the fact that one contact is forgotten."""
    return ContactErased(
        campaign_id=campaign_id,
        contact_id=contact_id,
        key_id=place.key_id,
        row=place.row,
        erased_at=now,
    )


def campaign_erased(
    campaign_id: int, through: int, key_ids: Sequence[str], now: datetime
) -> CampaignErased:
    """Return the fact that all contacts of a campaign are forgotten, up to the id `through`."""
    return CampaignErased(
        campaign_id=campaign_id, through=through, key_ids=tuple(key_ids), erased_at=now
    )


def erased_rows(fact: AnyFact) -> Iterator[ErasedRow]:
    """Yield what a fact made unreadable; most say nothing of that."""
    match fact:
        case ContactErased():
            yield ErasedRow(fact.key_id, fact.row)
        case CampaignErased():
            for key_id in fact.key_ids:
                yield ErasedRow(key_id, WHOLE_LIST)
        case _:
            return
