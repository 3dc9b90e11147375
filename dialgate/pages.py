"""The interactive documentation, for people, of every process. It loads nothing from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from campaigns.events.asyncapi import document
from campaigns.http.door import json_response
from projector.pages.assets import address


@cache
def page(name: str) -> tuple[str, str]:
    """Return a page, and the policy under which browsers run its own script and no other."""
    html = files("dialgate").joinpath(name).read_text("utf-8")
    html = re.sub(r'"/static/([\w.-]+)"', lambda named: f'"{address(named[1])}"', html)
    inline = {
        kind: f"{kind}-src {_hash(inside)}; "
        for kind, inside in re.findall(r"<(script|style)>(.*?)</\1>", html, re.DOTALL)
    }
    style = inline.get("style", "").replace("style-src", "style-src 'self'")
    connect = "connect-src 'self'; " if "script" in inline else ""
    policy = (
        f"default-src 'none'; {connect}{inline.get('script', '')}{style}"
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _hash(inside: str) -> str:
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def router() -> APIRouter:
    """Return the pages' routes."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def home() -> RedirectResponse:
        """Lead to the documentation, in a process without the projector, which has the pages."""
        return RedirectResponse("/docs", 303)

    @routes.api_route("/asyncapi.json", methods=["GET", "HEAD"])
    async def asyncapi() -> Response:
        """Return the AsyncAPI document: all that is sent."""
        return json_response(document(version("dialgate")))

    @routes.api_route("/docs", methods=["GET", "HEAD"])
    async def docs() -> HTMLResponse:
        """Return the interactive documentation of every operation."""
        return _answer("docs.html")

    return routes


def _answer(name: str) -> HTMLResponse:
    html, policy = page(name)
    # A request that is tried with the page's cookie must name its origin: ADR-0039.
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return HTMLResponse(html, headers=headers)
