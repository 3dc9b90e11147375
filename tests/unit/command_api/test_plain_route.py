"""A route takes the short way only by name, and only when it can do without FastAPI."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import APIRouter, Response

from command_api.http.json_route import JsonRoute
from command_api.http.plain_route import PlainRoutes

Endpoint = Callable[..., Awaitable[Response]]


async def plain(campaign_id: int, caller: str, options: str, body: str | None = None) -> Response:
    """Take what the short way gives."""
    return Response(f"{campaign_id} {caller} {options} {body}")


async def with_a_body(campaign_id: int, caller: str, options: str, body: str) -> Response:
    """Need a body."""
    return Response(body)


async def with_an_empty_body(
    campaign_id: int, caller: str, options: str, body: str = "{}"
) -> Response:
    """Take a default other than None when there is no body."""
    return Response(body)


async def with_a_query(
    campaign_id: int, caller: str, options: str, body: str | None = None, limit: int = 5
) -> Response:
    """Take what only FastAPI reads."""
    return Response(str(limit))


async def without_options(campaign_id: int, caller: str, body: str | None = None) -> Response:
    """Take less than the short way gives."""
    return Response(caller)


def routes() -> tuple[APIRouter, PlainRoutes]:
    async def known(*_: Any) -> Any:
        return "known"

    router = APIRouter(route_class=JsonRoute)
    return router, PlainRoutes(router, known, known)


@pytest.mark.parametrize(
    "endpoint", [with_a_body, with_an_empty_body, with_a_query, without_options]
)
def test_an_endpoint_that_needs_more_cannot_be_plain(endpoint: Endpoint) -> None:
    _, plain_routes = routes()
    with pytest.raises(AssertionError, match="/x"):
        plain_routes.post("/{campaign_id}/x", endpoint, {})


def test_a_route_beside_plain_ones_is_not_plain_itself() -> None:
    router, plain_routes = routes()
    router.add_api_route("/{campaign_id}/before", with_a_body, methods=["POST"])
    plain_routes.post("/{campaign_id}/plain", plain, {})
    router.add_api_route("/{campaign_id}/after", with_a_body, methods=["POST"])
    assert [type(route) is JsonRoute for route in router.routes] == [True, False, True]
