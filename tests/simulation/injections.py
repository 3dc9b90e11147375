"""Unforeseen exceptions, injected into dialers: into a reaction, or into one call's decision."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import dialer.reactor.reactor
from campaigns.domain.facts import CallRequested
from command_api.service import CommandApi
from dialer.calls.call import Call
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Clocks
from dialer.service import Dialer
from tests.simulation.plan import Plan
from tests.simulation.removal import Swaps

reactor_module: Any = (
    dialer.reactor.reactor
)  # Any: what it has imported is swapped where it is used.


class InjectedError(Exception):
    """A bug, a disk, whatever it may be."""


class FaultyDialer(Dialer):
    """A dialer some of whose effects cannot be performed. With a host, both are one process."""

    raises: Callable[[], bool]
    decided: Callable[[CallRequested], None]  # Called with each request when it is decided on.
    beside: CommandApi | None = None  # Its host.

    async def run(self) -> None:
        if self.beside is None:
            await super().run()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.beside.run())
            tasks.create_task(super().run())

    async def close(self) -> None:
        await super().close()
        if self.beside is not None:
            await self.beside.close()

    async def open(self) -> None:
        if self.beside is not None:
            await self.beside.open()
        await super().open()
        perform = self.reactions._perform

        def faulty(effect: Effect, clocks: Clocks) -> None:
            if isinstance(effect, Offer) and isinstance(request := effect.facts[0], CallRequested):
                self.decided(request)
            if self.raises():
                raise InjectedError("simulated")
            perform(effect, clocks)

        self.reactions._perform = faulty  # type: ignore[method-assign]  # Of this one.


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
    """Say whether every decision about a call raises."""
    return plan.marked("undecidable", call_id, 0.06)


def undecidable(plan: Plan) -> Swaps:
    """Have decisions about some calls raise, in every dialer and every life."""
    if "undecidable" not in plan.kinds:
        return []
    resolution = reactor_module.resolution

    def raising(call: Call, *read: Any, **how: Any) -> Any:  # Any: as `resolution` has them.
        if not call.undecidable and is_undecidable(plan, call.call_id):
            plan.struck["undecidable"] += 1
            raise ArithmeticError("simulated: nobody foresaw this")
        return resolution(call, *read, **how)

    return [(reactor_module, "resolution", raising)]
