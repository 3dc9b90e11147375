"""In worlds under faults, too, every call is in a state of the table."""

from collections.abc import Iterable
from typing import Any

import dialer.reactions
from dialer.calls.call_states import Late, Logged, Said, combinations
from dialer.calls.effects import Effect
from dialer.calls.inputs import Clocks, Input
from dialer.reactor.state import State
from tests.simulation.removal import swapped
from tests.simulation.verdicts import judge

reactions_module: Any = dialer.reactions  # Any: what it has imported is swapped where it is used.
SEEDS = range(8)
COMMON = {
    (Logged.ASKED, Said.NOTHING, Late.NO_RING),
    (Logged.PERMITTED, Said.NOTHING, Late.NO_RING),
    (Logged.PERMITTED, Said.RINGS, Late.IN_TIME),
    (Logged.PERMITTED, Said.NOT_PLACED, Late.NO_RING),
    (Logged.STARTED, Said.NOTHING, Late.IN_TIME),
    (Logged.STARTED, Said.RINGS, Late.IN_TIME),
    (Logged.STARTED, Said.OVER, Late.IN_TIME),
    (Logged.ENDED, Said.NOTHING, Late.IN_TIME),
    (Logged.UNRUNG, Said.NOTHING, Late.NO_RING),
}


def test_every_call_stands_as_the_table_says() -> None:
    react, legal = reactions_module.react, set(combinations())
    met: set[tuple[Logged, Said, Late]] = set()

    def watched(state: State, inputs: Iterable[Input], clocks: Clocks) -> list[Effect]:
        before = list(state.calls.values())
        effects: list[Effect] = react(state, inputs, clocks)
        for call in (*before, *state.calls.values()):
            met.add((call.logged, call.said, call.late))
        return effects

    with swapped((reactions_module, "react", watched)):
        for seed in SEEDS:
            assert not judge(seed).broken
    assert met <= legal
    assert met >= COMMON
