"""Bytes of bodies: a share each, and a bound on all of them."""

from campaigns.http.weight import Spent, Weight


def test_each_has_its_share_and_all_together_have_a_bound() -> None:
    weight = Weight(all_max_bytes=100, organization_max_bytes=60)
    assert weight.take(1, 60) is None
    assert weight.take(1, 1) is Spent.SHARE
    assert weight.take(2, 40) is None
    assert weight.take(2, 1) is Spent.ALL
    weight.give_back(1, 30)
    assert weight.take(2, 20) is None
    assert weight.take(1, 10) is None


def test_what_was_refused_is_not_held_and_what_is_given_back_leaves_nothing() -> None:
    weight = Weight(all_max_bytes=100, organization_max_bytes=60)
    assert weight.take(1, 61) is Spent.SHARE
    assert weight.take(1, 50) is None
    weight.give_back(1, 50)
    assert not weight.of_organization
    assert weight.take(2, 60) is None
