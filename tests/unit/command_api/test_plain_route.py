"""A route takes the short way only by name, and only when it can do without FastAPI."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Response

from campaigns.http.edge import install
from campaigns.http.size_limits import Limits
from campaigns.process.errors import LogUnavailableError
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


@pytest.mark.parametrize("failure", [HTTPException(404, "none"), LogUnavailableError("away")])
async def test_what_fails_on_the_short_way_is_not_done_again_on_the_long_one(
    failure: Exception,
) -> None:
    asked = []

    async def failing(
        campaign_id: int, caller: str, options: str, body: str | None = None
    ) -> Response:
        asked.append(campaign_id)
        raise failure

    router, plain_routes = routes()
    plain_routes.post("/{campaign_id}/failing", failing, {})
    app = FastAPI()
    install(app, Limits(1_000, 1_000), [router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/7/failing")
    assert asked == [7]
    expected = (404, "none") if isinstance(failure, HTTPException) else (503, "away")
    assert (answer.status_code, answer.json()["detail"]) == expected
