"""The cookie in which a browser keeps an API key, and what a request with it must also show.

The page's own scripts cannot read it, and no other site's page makes a browser send it. Another
port of the same host is the same site, though: so a change that comes with it must also come from a
page of this very origin (ADR-0039). WebSockets do not take it.
"""

import base64
import binascii

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

COOKIE = "dialgate-key"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Strict"


def key_given(request: Request) -> tuple[str, bool]:
    """Return the key that a request brings, and whether its cookie does; "": none.

    A request with an Authorization header is judged by that alone.
    """
    if (header := request.headers.get("authorization")) is not None:
        scheme, key = get_authorization_scheme_param(header)
        return (key if scheme.lower() == "bearer" else ""), False
    if "cookie" not in request.headers:
        return "", False
    return _decoded(request.cookies.get(COOKIE, "")), True


def foreign_origin(request: Request) -> str | None:
    """Return why a change that is authenticated by the cookie is refused; None: it is not.

    A browser names the origin of the page that sends a POST, and no page can forge it. Behind a
    gateway that ends TLS the page is https, and the request that arrives here is not.
    Source: the Fetch standard, "Origin header"; RFC 6265bis, section 8.8.
    """
    if request.method in SAFE:
        return None
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    own_scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    scheme, _, place = origin.partition("://")
    if scheme in (own_scheme, "https") and place == host != "":
        return None
    found = f"found {origin[:200]!r}" if origin else "found none"
    return f"A change with the sign-in cookie needs this page's own Origin, {host[:200]!r}; {found}"


def cookie_for(request: Request, key: str) -> str:
    """Return the Set-Cookie header that keeps a key until the browser ends, or the sign-out."""
    value = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    secure = request.headers.get("origin", "").startswith("https:")
    return f"{COOKIE}={value}; {_ATTRIBUTES}{'; Secure' if secure else ''}"


def cookie_ended() -> str:
    """Return the Set-Cookie header that makes a browser forget the key."""
    return f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0"


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
