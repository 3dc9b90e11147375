"""The interactive documentation: one page of our own, which loads nothing from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse


@cache
def page() -> tuple[str, str]:
    """Return the page, and the policy under which browsers run its own script and no other."""
    html = files("dialgate").joinpath("docs.html").read_text("utf-8")
    hashes = {
        name: _hash(inside)
        for name, inside in re.findall(r"<(script|style)>(.*?)</\1>", html, re.DOTALL)
    }
    policy = (
        f"default-src 'none'; connect-src 'self'; script-src {hashes['script']};"
        f" style-src {hashes['style']}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _hash(inside: str) -> str:
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def router() -> APIRouter:
    """Return the page's route."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/docs", methods=["GET", "HEAD"])
    async def docs() -> HTMLResponse:
        """Show every operation, to be tried."""
        html, policy = page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    return routes
