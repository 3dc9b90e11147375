"""How a mechanism is taken away for a while: the one place where our own code is patched."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Swaps = list[tuple[Any, str, Any]]  # Any: functions of every kind, on any owner.
Mutation = Callable[[], AbstractContextManager[None]]
MUTATIONS: dict[str, Mutation] = {}


@contextmanager
def swapped(*swaps: tuple[Any, str, Any]) -> Iterator[None]:
    """Put other functions in the place of ours, for a while."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in swaps]
    for owner, name, new in swaps:
        setattr(owner, name, new)
    try:
        yield
    finally:
        for owner, name, old in before:
            setattr(owner, name, old)


def mutation(make: Callable[[], Swaps]) -> Callable[[], Any]:
    """Take a mutation into the catalogue under its function's name, in words."""

    def mutated() -> AbstractContextManager[None]:
        return swapped(*make())

    mutated.__doc__ = make.__doc__
    MUTATIONS[make.__name__.replace("_", " ")] = mutated
    return mutated
