"""The short way into a plain command: a number in the path, and no body.

FastAPI solves the dependencies of a route for each request, which takes longer than a pause does
(bench/pause.py: a third of the time of the whole request). So the plain request of a plain command
is read here; any other request goes through FastAPI, which also writes the documentation and every
422.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from campaigns.http.door import ID_MAX, CallerOf
from command_api.http.json_route import JsonRoute
from command_api.http.options import OptionsOf

Endpoint = Callable[..., Any]  # Any: the coroutine of an endpoint, as FastAPI takes it.
_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
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
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            headers, number = request.headers, request.path_params["campaign_id"]
            if (
                scope["method"] != "POST"
                or not _NUMBER.fullmatch(number)
                or int(number) > ID_MAX
                or scope["query_string"]
                or _has_body(request)
            ):
                await super().handle(scope, receive, send)
                return
            answer: Response = await self.endpoint(
                campaign_id=int(number),
                caller=await caller(request),
                options=await options(
                    request,
                    headers.get("idempotency-key"),
                    headers.getlist("prefer"),
                    headers.getlist("if-match"),
                    False,
                ),
                body=None,
            )
            await answer(scope, receive, send)

    return PlainRoute


def _has_body(request: Request) -> bool:
    """Say whether the request announces a body. Source: RFC 9112, section 6."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
