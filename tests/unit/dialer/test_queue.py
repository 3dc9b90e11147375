"""Who is asked for next: one campaign's desk, by example."""

from datetime import timedelta

import pytest

from campaigns.domain.facts import Disposition
from dialer.reactor.queue import FRESH_AT_ONCE, Desk
from tests.unit.dialer.rig import Rig


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.create(contacts=6)
    rig.start()
    return rig


def asked(rig: Rig, desk: Desk, wanted: int) -> list[int]:
    campaign = rig.campaigns.by_id[1]
    return [c.contact_id for c in desk.candidates(campaign, rig.contacts, rig.now, wanted)]


def test_fresh_contacts_come_in_list_order_each_once(rig: Rig) -> None:
    desk = Desk()
    assert asked(rig, desk, 2) == [1, 2]
    assert asked(rig, desk, 3) == [3, 4, 5]
    assert asked(rig, desk, 3) == [6]
    assert asked(rig, desk, 3) == []


def test_who_is_due_again_comes_before_who_is_fresh(rig: Rig) -> None:
    rig.call(3, Disposition.BUSY, retry_in=timedelta(minutes=5))
    desk = Desk()
    assert asked(rig, desk, 1) == [1]
    rig.passes(300)
    assert asked(rig, desk, 3) == [3, 2, 4]


def test_who_is_asked_for_already_is_not_asked_for_again(rig: Rig) -> None:
    desk = Desk(asked={1, 3})
    assert asked(rig, desk, 3) == [2, 4, 5]


def test_a_contact_whose_request_did_not_count_is_next_again(rig: Rig) -> None:
    desk = Desk()
    desk.asked.update(asked(rig, desk, 2))
    desk.give_back(1)
    desk.give_back(1)
    assert asked(rig, desk, 2) == [1, 3]
    assert desk.asked == {2}


def test_contacts_that_a_replacing_import_took_away_are_passed_over(rig: Rig) -> None:
    desk = Desk()
    assert asked(rig, desk, 1) == [1]
    rig.replace(through=6, rows=2)
    for either in (desk, Desk()):
        assert asked(rig, either, 5) == [7, 8]


def test_who_was_called_in_an_earlier_life_is_not_fresh(rig: Rig) -> None:
    rig.call(1)
    rig.ask(3)
    assert asked(rig, Desk(), 9) == [2, 4, 5, 6]


def test_contacts_added_later_are_asked_for(rig: Rig) -> None:
    desk = Desk()
    assert asked(rig, desk, 9) == [1, 2, 3, 4, 5, 6]
    rig.add_contacts(7, 2)
    assert asked(rig, desk, 9) == [7, 8]


def test_memory_does_not_grow_with_the_list() -> None:
    rig = Rig()
    rig.create(contacts=2 * FRESH_AT_ONCE + 5)
    desk = Desk()
    assert asked(rig, desk, 1) == [1]
    assert len(desk.fresh) == FRESH_AT_ONCE - 1
    assert asked(rig, desk, 3 * FRESH_AT_ONCE)[-1] == 2 * FRESH_AT_ONCE + 5
