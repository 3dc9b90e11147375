"""A carrier that reports an end once more, while a dialer opens and knows of no call yet."""

from typing import TYPE_CHECKING

from dialer.carrier.port import Ended, Report

if TYPE_CHECKING:
    from tests.simulation.faulty_carrier import SimCarrier

CHANCE = 0.2


def tell_again(carrier: "SimCarrier", report: Report) -> None:
    """Report the end of some call that this carrier placed, now and then."""
    for call_id, placements in carrier.placements.items():
        if placements and isinstance(ended := placements[-1].state, Ended):
            if carrier.plan.dice("told again").random() < CHANCE:
                carrier.story.danger("a carrier reported while a dialer opened")
                report(call_id, ended)
            return
