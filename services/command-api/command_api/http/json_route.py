"""Routes that read JSON bodies: a large one in slices, so that the event loop stays free."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from command_api.http.json_body import LARGE_BYTES, TooLargeError, read
from command_api.slices import REST_S, in_slices


class JsonRequest(Request):
    """A request whose JSON is read in slices when it is large."""

    async def json(self) -> Any:  # Any: JSON, not validated yet.
        """Return the body, as FastAPI expects it.

        Raises:
            json.JSONDecodeError: it is not JSON.
            HTTPException: 422, something in it is too large: FastAPI lets nothing else through.

        """
        body = await self.body()
        if len(body) <= LARGE_BYTES:
            return await super().json()
        await asyncio.sleep(REST_S)  # Its pieces were joined in one call.
        try:
            return await in_slices(read(body))
        except TooLargeError as exc:
            error = {
                "type": "value_error",
                "loc": ["body", *exc.loc],
                "msg": f"Value error, {exc.msg}",
            }
            raise HTTPException(422, [error]) from exc


class JsonRoute(APIRoute):
    """The route class of every router whose routes have bodies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, called with a JsonRequest."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handler
