"""Signing in with an API key, and signing out.

Both are POSTs of this origin's own form: no other site can sign anybody in or out.
"""

from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from campaigns.http.door import wrong_key
from campaigns.http.session_cookie import cookie_ended, cookie_for, foreign_origin, key_given
from projector.feeds.socket import Feeds
from projector.pages.html import HEADERS, answer, rendered
from projector.pages.visitor import SIGN_IN, PageRoute, local

FORM_BYTES_MAX = 4096  # Of a sign-in: a key, and where to go.
UNKNOWN = "This key is not known here. A revoked key stays unknown."


def router(feeds: Feeds) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(include_in_schema=False, route_class=PageRoute)

    @routes.api_route(SIGN_IN, methods=["GET", "HEAD"])
    async def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002  (its name)
        """Ask for the key."""
        key, _ = key_given(request)
        if key and await feeds.caller_of_key(key) is not None:
            return RedirectResponse(local(next), 303)
        return _form(local(next))

    @routes.post(SIGN_IN)
    async def signed_in(request: Request) -> Response:
        """Keep a known key in the cookie."""
        form = await _own_form(request)
        key, wanted = form.get("key", "").strip(), local(form.get("next", "/"))
        if not key or await feeds.caller_of_key(key) is None:
            often = wrong_key(feeds.limits, request.client)
            return _form(wanted, often.detail if often else UNKNOWN, 429 if often else 401)
        return _away(wanted, cookie_for(request, key))

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        """Make the browser forget the key."""
        await _own_form(request)
        return _away(SIGN_IN, cookie_ended())

    return routes


def _form(wanted: str, wrong: str | None = None, status: int = 200) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return answer(rendered("sign_in.html", {"next": wanted, "wrong": wrong}), status, headers)


def _away(to: str, cookie: str) -> Response:
    return RedirectResponse(to, 303, {**HEADERS, "set-cookie": cookie})


async def _own_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that this origin's page has sent.

    Raises:
        HTTPException: another origin's page sent it, or it is too long.

    """
    if (foreign := foreign_origin(request)) is not None:
        raise HTTPException(403, foreign)
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > FORM_BYTES_MAX:
            raise HTTPException(413, f"A sign-in is at most {FORM_BYTES_MAX} bytes")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
