"""Plain commands: routes that the short way answers (`campaigns.http.short_way`)."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from campaigns.http.door import CallerOf
from campaigns.http.short_way import RAISED
from command_api.http.json_route import JsonRoute
from command_api.http.options import NO_OPTIONS, OPTIONAL, OptionsOf

Endpoint = Callable[..., Any]  # Any: the coroutine of an endpoint, as FastAPI takes it.
_PARAMETERS = {"campaign_id", "caller", "options", "body"}


class PlainRoutes:
    """Adds routes that take the short way to a router, each by name."""

    def __init__(self, routes: APIRouter, caller: CallerOf, options: OptionsOf) -> None:
        self._routes = routes
        self._route_class = _plain_route(caller, options)

    def post(
        self,
        path: str,
        endpoint: Endpoint,
        responses: Mapping[int | str, dict[str, Any]],  # Any: FastAPI's own.
    ) -> None:
        """Add a POST that takes the short way.

        Its endpoint takes `campaign_id`, `caller`, `options` and `body`, and nothing else; without
        a body it is called with None.
        """
        parameters = inspect.signature(endpoint).parameters
        assert parameters.keys() == _PARAMETERS, f"{path}: expected {sorted(_PARAMETERS)}"
        assert parameters["body"].default is None, f"{path}: its body must be optional"
        self._routes.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            name=path.rpartition("/")[2],
            responses=dict(responses),
            route_class_override=self._route_class,
        )


def _plain_route(caller: CallerOf, options: OptionsOf) -> type[JsonRoute]:
    class PlainRoute(JsonRoute):
        async def plain(self, request: Request, number: int) -> Response:
            """Answer a request without a body or a query, whose path has this number."""
            known, given = await caller(request), NO_OPTIONS
            if not OPTIONAL.isdisjoint([name for name, _ in request.scope["headers"]]):
                headers = request.headers
                given = await options(
                    request,
                    headers.get("idempotency-key"),
                    headers.getlist("prefer"),
                    headers.getlist("if-match"),
                    False,
                )
            answer: Response = await self.endpoint(
                campaign_id=number, caller=known, options=given, body=None
            )
            return answer

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            if (raised := scope.get(RAISED)) is not None:
                raise raised
            await super().handle(scope, receive, send)

    return PlainRoute
