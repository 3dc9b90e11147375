"""Who is asked for next: one campaign's desk, by example."""

from datetime import timedelta

import pytest

from campaigns.domain.facts import Disposition
from dialer.reactor.queue import FRESH_AT_ONCE, CampaignQueue
from tests.unit.dialer.rig import Rig


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.create(contacts=6)
    rig.start()
    return rig


def asked(rig: Rig, queue: CampaignQueue, wanted: int) -> list[int]:
    campaign = rig.campaigns.by_id[1]
    return [c.contact_id for c in queue.candidates(campaign, rig.contacts, rig.now, wanted)]


def test_fresh_contacts_come_in_list_order_each_once(rig: Rig) -> None:
    queue = CampaignQueue()
    assert asked(rig, queue, 2) == [1, 2]
    assert asked(rig, queue, 3) == [3, 4, 5]
    assert asked(rig, queue, 3) == [6]
    assert asked(rig, queue, 3) == []


def test_who_is_due_again_comes_before_who_is_fresh(rig: Rig) -> None:
    rig.call(3, Disposition.BUSY, retry_in=timedelta(minutes=5))
    queue = CampaignQueue()
    assert asked(rig, queue, 1) == [1]
    rig.passes(300)
    assert asked(rig, queue, 3) == [3, 2, 4]


def test_who_is_asked_for_already_is_not_asked_for_again(rig: Rig) -> None:
    queue = CampaignQueue(asked={1, 3})
    assert asked(rig, queue, 3) == [2, 4, 5]


def test_a_contact_whose_request_did_not_count_is_next_again(rig: Rig) -> None:
    queue = CampaignQueue()
    queue.asked.update(asked(rig, queue, 2))
    queue.give_back(1)
    queue.give_back(1)
    assert asked(rig, queue, 2) == [1, 3]
    assert queue.asked == {2}


def test_contacts_that_a_replacing_import_took_away_are_passed_over(rig: Rig) -> None:
    queue = CampaignQueue()
    assert asked(rig, queue, 1) == [1]
    rig.replace(through=6, rows=2)
    for either in (queue, CampaignQueue()):
        assert asked(rig, either, 5) == [7, 8]


def test_who_was_called_in_an_earlier_life_is_not_fresh(rig: Rig) -> None:
    rig.call(1)
    rig.ask(3)
    assert asked(rig, CampaignQueue(), 9) == [2, 4, 5, 6]


def test_contacts_added_later_are_asked_for(rig: Rig) -> None:
    queue = CampaignQueue()
    assert asked(rig, queue, 9) == [1, 2, 3, 4, 5, 6]
    rig.add_contacts(7, 2)
    assert asked(rig, queue, 9) == [7, 8]


def test_memory_does_not_grow_with_the_list() -> None:
    rig = Rig()
    rig.create(contacts=2 * FRESH_AT_ONCE + 5)
    queue = CampaignQueue()
    assert asked(rig, queue, 1) == [1]
    assert len(queue.fresh) == FRESH_AT_ONCE - 1
    assert asked(rig, queue, 3 * FRESH_AT_ONCE)[-1] == 2 * FRESH_AT_ONCE + 5
