"""Pages out of templates, and the policy under which browsers show them."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from campaigns.audit.stories.phrases import counted, lasted
from campaigns.domain.values.instants import instant
from projector.pages.assets import address

ACTOR_CHARS = 8  # Of a key's id: enough to tell an organization's keys apart.
# Nothing inline and nothing from elsewhere. Pico's marks are data: images in its own file.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
# With no-referrer, browsers name no Origin when a form is sent.
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "same-origin"}


def clock(at: datetime) -> str:
    """Return an instant as a `time` element shows it where no script runs: to the second, UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def number(count: float) -> str:
    """Return a number with its thousands apart."""
    return f"{count:,}"


def actor(name: str) -> str:
    """Return who it was, for people of the organization itself: `key 76ad0b1c`, `dialer`."""
    _, found, key = name.rpartition(" key ")
    return f"key {key[:ACTOR_CHARS]}" if found else name


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("projector.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clock": clock,
        "instant": instant,
        "number": number,
        "lasted": lasted,
        "actor": actor,
    }
    made.globals |= {"asset": address, "counted": counted}
    return made


def rendered(template: str, shown: Mapping[str, object]) -> str:
    """Return a template's text."""
    return _environment().get_template(template).render(shown)


def answer(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a page, or a part of one."""
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


def is_part(request: Request) -> bool:
    """Say whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true"
