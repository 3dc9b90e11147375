"""Nothing of a request is left to a pool of threads by accident.

FastAPI runs an endpoint or a dependency that is no coroutine in a thread: each costs a hand-over
and back, waits for a free thread under load, and is cut off from a simulated world's time.
"""

from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute

from campaigns.http.door import door_of
from campaigns.log.port import MemoryLog
from campaigns.process.clock import SystemClock
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from projector.service import Projector
from projector.settings import ProjectorSettings


def routes() -> list[APIRoute | APIWebSocketRoute]:
    clock, log = SystemClock(), MemoryLog()
    parts = (
        CommandApi(log, clock, CommandApiSettings(), None),
        Projector(log, clock, ProjectorSettings(), None, None),
    )
    every = [route for part in parts for router in part.routers() for route in router.routes]
    return [route for route in every if isinstance(route, APIRoute | APIWebSocketRoute)]


def on_the_loop(one: object) -> bool:
    """Say whether it is a coroutine function, or an object with such a `__call__`."""
    return iscoroutinefunction(one) or iscoroutinefunction(type(one).__call__)


def called(dependant: Dependant) -> Iterator[object]:
    """Yield what FastAPI calls for one request."""
    yield dependant.call
    for needed in dependant.dependencies:
        yield from called(needed)


ROUTES = routes()
BRINGS_A_KEY = {"/sign-in", "/sign-out"}  # In a body of at most FORM_BYTES_MAX: test_sign_in.py.


@pytest.mark.parametrize("route", ROUTES, ids=[f"{n} {one.path}" for n, one in enumerate(ROUTES)])
def test_all_that_answers_a_request_runs_on_the_event_loop(
    route: APIRoute | APIWebSocketRoute,
) -> None:
    every = list(called(route.dependant))
    assert every
    assert [one for one in every if not on_the_loop(one)] == []


@pytest.mark.parametrize("route", ROUTES, ids=[f"{n} {one.path}" for n, one in enumerate(ROUTES)])
def test_who_sends_a_body_is_known_before_it_is_read(
    route: APIRoute | APIWebSocketRoute,
) -> None:
    """What Edge looks for at the first question for a body: its key, its rate, its scope."""
    if isinstance(route, APIRoute) and not {"GET", "HEAD"} & (route.methods or set()):
        assert (door_of(route) is not None) == (route.path not in BRINGS_A_KEY)


def test_most_routes_depend_on_something() -> None:
    assert sum(len(route.dependant.dependencies) > 0 for route in ROUTES) > 20
