"""How people are forgotten: a fact says who, then their keys are deleted (ADR-0041). Pure.

A fact that is recorded is carried out by whoever folds it, so nothing is lost between the two.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from campaigns.domain.facts import AnyFact, CampaignErased, ContactErased

WHOLE_LIST = 0  # In place of a row's number: 1 is a list's first.
UNCOUNTED = -1  # … likewise: the whole of a list that will never count.
LISTS_MAX = 2_000  # That one fact names: 50 KB, and some 15 ms of a command API's event loop.


class ErasedRow(NamedTuple):
    """What a fact made unreadable: one row of a list, or WHOLE_LIST, or UNCOUNTED."""

    key_id: str
    row: int


class ErasableList(NamedTuple):
    """A list of a campaign, none of whose contacts was forgotten with the campaign."""

    through: int  # Its last contact.
    key_id: str


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
    campaign_id: int, lists: Sequence[ErasableList], now: datetime
) -> CampaignErased:
    """Return the fact that the contacts of a campaign's lists are forgotten, whole list by list.

    `lists`: those that are not forgotten yet, at least one, in the order of their contacts. The
    fact is about the first LISTS_MAX. What is left needs another one, which rests on this one.
    """
    some = at_once(lists)
    return CampaignErased(
        campaign_id=campaign_id,
        through=some[-1].through,
        key_ids=tuple(one.key_id for one in some),
        erased_at=now,
    )


def at_once(lists: Sequence[ErasableList]) -> Sequence[ErasableList]:
    """Return those lists of which one fact can say that they are forgotten."""
    return lists[:LISTS_MAX]


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
