"""Exceptions that nobody foresaw, put into dialers: into a reaction, or one call's decision."""

from collections.abc import Callable, Iterator
from typing import Any

import dialer.reactor.reactor
from dialer.calls.call import Line
from dialer.calls.ticks import Effect, Moment
from dialer.service import Dialer
from tests.simulation.plan import Plan
from tests.simulation.removal import Swaps

reactor_module: Any = (
    dialer.reactor.reactor
)  # Any: what it has imported is swapped where it is used.


class InjectedError(Exception):
    """A bug, a disk, whatever it may be."""


class FaultyDialer(Dialer):
    """One of whose effects some cannot be performed."""

    raises: Callable[[], bool]

    def _perform(self, effect: Effect, moment: Moment) -> None:
        if self.raises():
            raise InjectedError("simulated")
        super()._perform(effect, moment)


def is_injected(failure: BaseException) -> bool:
    """Say whether a part ended of what was put into it, and of nothing else."""
    return all(isinstance(one, InjectedError) for one in _leaves(failure))


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for inner in failure.exceptions:
            yield from _leaves(inner)
    else:
        yield failure


def is_undecidable(plan: Plan, call_id: str) -> bool:
    """Say whether nobody can decide about a call, ever."""
    return plan.marked("undecidable", call_id, 0.06)


def undecidable(plan: Plan) -> Swaps:
    """Have decisions about some calls raise, in every dialer and every life."""
    if "undecidable" not in plan.kinds:
        return []
    resolution = reactor_module.resolution

    def raising(line: Line, *read: Any, **how: Any) -> Any:  # Any: as `resolution` has them.
        if not line.spoilt and is_undecidable(plan, line.call_id):
            plan.struck["undecidable"] += 1
            raise ArithmeticError("simulated: nobody foresaw this")
        return resolution(line, *read, **how)

    return [(reactor_module, "resolution", raising)]
