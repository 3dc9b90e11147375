"""Another run by example: which contacts are called, and no others."""

from datetime import timedelta

import pytest

from campaigns.domain.facts import CallRequested, CampaignRearmed, Disposition, Selection
from dialer.calls.effects import Offer
from dialer.calls.inputs import Working
from tests.unit.dialer.rig import Rig, requests


def finished() -> Rig:
    """Tell of a run that is over: 1 and 4 were reached, 2 and 3 were not."""
    rig = Rig(max_concurrent_calls=10)
    rig.create(contacts=4)
    rig.start()
    for contact_id in (1, 2, 3, 4):
        reached = contact_id in (1, 4)
        rig.call(contact_id, Disposition.ANSWERED if reached else Disposition.BUSY)
    rig.stop()
    rig.react(Working(frozenset({0})))
    return rig


def rearm(rig: Rig, selection: Selection, *named: int, contacts: int) -> list[Offer]:
    rig.write(
        CampaignRearmed(
            campaign_id=1, selection=selection, contact_ids=named, contacts=contacts,
            untouched=0, rearmed_at=rig.now,
        )
    )  # fmt: skip
    assert rig.react() == [], "a draft makes no call"
    rig.start(run=2)
    return requests(rig.react())


def asked(offers: list[Offer]) -> list[int]:
    facts = [offer.facts[0] for offer in offers]
    assert all(isinstance(fact, CallRequested) and fact.run == 2 for fact in facts)
    assert all(isinstance(fact, CallRequested) and fact.tried for fact in facts)
    return [fact.contact_id for fact in facts if isinstance(fact, CallRequested)]


@pytest.mark.parametrize(
    ("selection", "named", "expected"),
    [
        (Selection.ALL, (), [1, 2, 3, 4]),
        (Selection.FAILED_ONLY, (), [2, 3]),
        (Selection.CONTACTS, (1, 3), [1, 3]),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_those_who_are_selected_are_called_and_nobody_else(
    selection: Selection, named: tuple[int, ...], expected: list[int], restarted: bool
) -> None:
    rig = finished()
    if restarted:
        rig.restarted()
        rig.react(Working(frozenset({0})))
    found = rearm(rig, selection, *named, contacts=len(expected))
    assert sorted(asked(found)) == expected
    for offer in found:
        rig.accept(offer)
    assert rig.campaigns.by_id[1].counters.pending == 0


def test_an_attempt_of_the_new_run_is_its_first() -> None:
    rig = finished()
    (offer, *_) = rearm(rig, Selection.CONTACTS, 2, contacts=1)
    fact = offer.facts[0]
    assert isinstance(fact, CallRequested)
    assert fact.attempt == 1
    rig.accept(offer)
    rig.end(fact.call_id, 2, Disposition.BUSY, retry_in=timedelta(minutes=30))
    rig.react()
    (again, *_) = requests(rig.after(31 * 60))
    assert isinstance(again.facts[0], CallRequested)
    assert again.facts[0].attempt == 2
