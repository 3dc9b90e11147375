"""The short way in for a plain command: a number in the path, and no body.

FastAPI solves the dependencies of a route anew for each request, which takes longer than a pause
does (bench/pause.py: a third of the time of the whole request). So a plain command is read here;
any other goes FastAPI's way, which also writes the documentation and every 422.
"""

import re

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from campaigns.http.door import ID_MAX, CallerOf
from command_api.http.json_route import JsonRoute
from command_api.http.options import AskedOf

_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


def plain_route(caller: CallerOf, asked: AskedOf) -> type[JsonRoute]:
    """Return the kind of route that takes the short way where it can.

    Its endpoints take `campaign_id`, `caller`, `asked` and `body`.
    """

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
                asked=await asked(
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
    """Say whether the request announces one. Source: RFC 9112, section 6."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
