"""The pages' styles and scripts: files of this package, served from memory, compressed.

`static/vendored` has what others made, as they released it: VENDORED says what, and a test compares
the hashes.
"""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
KEPT = "public, max-age=31536000, immutable"  # An address names its content's hash.


class Release(NamedTuple):
    """A file that others made."""

    package: str  # At npm, with its version.
    path: str  # In the package.
    sha256: str
    licence: str  # Its text is in static/vendored/licences.


VENDORED = {
    "htmx-4.0.1.min.js": Release(
        "htmx.org@4.0.1",
        "dist/htmx.min.js",
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
        "0BSD",
    ),
    "htmx-sse-4.0.1.min.js": Release(
        "htmx.org@4.0.1",
        "dist/ext/hx-sse.min.js",
        "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
        "0BSD",
    ),
    "pico-classless-2.1.1.min.css": Release(
        "@picocss/pico@2.1.1",
        "css/pico.classless.min.css",
        "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0",
        "MIT",
    ),
    "uplot-1.6.32.min.css": Release(
        "uplot@1.6.32",
        "dist/uPlot.min.css",
        "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        "MIT",
    ),
    "uplot-1.6.32.min.js": Release(
        "uplot@1.6.32",
        "dist/uPlot.iife.min.js",
        "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "MIT",
    ),
}


class Asset(NamedTuple):
    """A file as it is served."""

    body: bytes
    compressed: bytes
    kind: str
    tag: str  # Of its content.


@cache
def assets() -> dict[str, Asset]:
    """Return every file that is served, by its name."""
    folder = files("projector.pages") / "static"
    found = {}
    for place in (folder, folder / "vendored"):
        for file in place.iterdir():
            kind = KINDS.get(file.name[file.name.rfind(".") :])
            if kind is not None and file.is_file():
                body = file.read_bytes()
                tag = hashlib.sha256(body).hexdigest()[:16]
                found[file.name] = Asset(body, gzip.compress(body, 9, mtime=0), kind, tag)
    return found


def address(name: str) -> str:
    """Return where a file is served; the address changes with its content.

    Raises:
        KeyError: there is no such file.

    """
    return f"/static/{name}?{assets()[name].tag}"


def router() -> APIRouter:
    """Return the route of the files; it needs no key."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/static/{name}", methods=["GET", "HEAD"])
    async def static(name: str, request: Request) -> Response:
        """Return one file."""
        if (found := assets().get(name)) is None:
            raise HTTPException(404, "Not Found")
        headers = {"cache-control": KEPT, "etag": f'"{found.tag}"', "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(found.compressed, headers=headers, media_type=found.kind)
        return Response(found.body, headers=headers, media_type=found.kind)

    return routes
