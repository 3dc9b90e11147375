"""Who looks at a page, and what is shown to those who may not."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from campaigns.domain.api_keys import Caller
from campaigns.domain.facts import Scope
from campaigns.process.errors import OperatingError
from projector.pages.html import answer, is_part, rendered

SIGN_IN = "/sign-in"
_NEXT_CHARS_MAX = 500
AGAIN_S = 2  # A page that cannot be shown yet asks again by itself, also without scripts.


def may_operate(caller: Caller) -> bool:
    """Say whether a caller is shown buttons: one with the scope `read` alone is not."""
    return caller.scope is not Scope.READ


def local(path: str) -> str:
    """Return where to go after signing in: a path of this origin; else the front page."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\", SIGN_IN))
    return path if plain and path.isprintable() and len(path) <= _NEXT_CHARS_MAX else "/"


class PageRoute(APIRoute):
    """A route of a page: an error is a page too, and who has no key is led to where it is asked."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler. Any: FastAPI's."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as exc:
                if exc.status_code == 401:
                    return _to_sign_in(request)
                return failure(request, exc.status_code, str(exc.detail), exc.headers)
            except RequestValidationError as exc:
                found = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in exc.errors())
                return failure(request, 422, found)
            except OperatingError as exc:
                again = {"Retry-After": str(AGAIN_S), "Refresh": str(AGAIN_S)}
                return failure(request, 503, str(exc), again)

        return handled


def _to_sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_part(request) or request.method != "GET":
        # A part of a page, or its stream: the whole page goes.
        return answer("", 401, {"hx-redirect": SIGN_IN})
    if (wanted := local(wanted)) == "/":
        return RedirectResponse(SIGN_IN, 303)
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", 303)


_TITLES = {
    403: "Not with this key",
    404: "Not here",
    422: "There is nothing to show",
    429: "Too many requests",
    503: "Not now",
}


def failure(
    request: Request,
    status: int,
    detail: str,
    headers: Any = None,  # Any: a mapping or None.
) -> Response:
    """Return an error as a page, or as a part of one."""
    shown = {"title": _TITLES.get(status, "It did not work"), "detail": detail, "status": status}
    name = "failure_part.html" if is_part(request) else "failure.html"
    return answer(rendered(name, shown), status, headers)
