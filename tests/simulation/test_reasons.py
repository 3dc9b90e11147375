"""`why` agrees with the reactor: also about the two gates that worlds have no use for."""

from datetime import timedelta

import msgspec
import pytest

from campaigns.domain.decider import Reason
from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.gates.gates import IDLE
from dialer.calls.inputs import Woken, Working
from tests.simulation.reasons import OPEN, Reasons
from tests.simulation.removal import swapped
from tests.simulation.world import World
from tests.unit.dialer.rig import OPENED, Rig, requests


@pytest.mark.parametrize("seed", [1, 5])
def test_what_is_said_of_each_contact_at_each_reaction_is_what_the_dialer_does(seed: int) -> None:
    reasons = World(seed, thorough=True).run().reasons
    assert not reasons.wrong, reasons.wrong[:5]
    assert reasons.dangers["why: a contact may be called"] > 0
    seen = {reason for reason in Reason if reasons.dangers[f"why: {reason}"]}
    assert {Reason.ALL_LINES_BUSY, Reason.OTHERS_FIRST, Reason.CONTACT_DONE} <= seen


def test_each_reason_of_an_idle_campaign_can_be_opened() -> None:
    assert set(IDLE) <= set(OPEN)


def test_outside_its_hours_a_campaign_is_idle_until_they_begin() -> None:
    reasons, rig = Reasons(), Rig()
    rig.create(contacts=2)
    rig.start()
    opens = rig.now + timedelta(hours=2)
    campaign = rig.campaigns.by_id[1]
    hours = CallingHours(
        start=f"{opens:%H:%M}", end="23:59", days=(1, 2, 3, 4, 5, 6, 7), time_zone="UTC"
    )
    settings = msgspec.structs.replace(campaign.settings, calling_hours=hours)
    campaign.created = msgspec.structs.replace(campaign.created, settings=settings)
    with swapped(*reasons.swaps()):
        assert requests(rig.react(Working(frozenset({0})))) == []
        shut = rig.state.idle[1]
        assert shut.reason is Reason.OUTSIDE_HOURS
        assert shut.retry_at is not None
        asked = rig.after((shut.retry_at - rig.now).total_seconds())
    assert len(requests(asked)) == 2
    assert not reasons.wrong
    assert reasons.dangers[f"why: {Reason.OUTSIDE_HOURS}"] > 0
    OPENED.pop().close()


def test_a_full_carrier_keeps_those_who_wait_for_it() -> None:
    reasons, rig = Reasons(), Rig(placing_max=1)
    with swapped(*reasons.swaps()):
        (offer,) = rig.running(contacts=3)
        rig.react(Woken())
        rig.accept(offer)
    assert not reasons.wrong
    assert reasons.dangers[f"why: {Reason.CARRIER_FULL}"] > 0
    assert rig.state.idle[1].reason is Reason.CARRIER_FULL
    OPENED.pop().close()
