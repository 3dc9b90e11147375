"""One FastAPI application for whatever parts a process runs, and the one OpenAPI document.

The services are imported only once somebody asks for the document.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI

from campaigns.clock import SystemClock
from campaigns.http import install
from campaigns.log import MemoryLog
from campaigns.part import Part
from command_api.settings import CommandApiSettings
from projector.settings import ProjectorSettings

TITLE = "Dialgate"


def make_app(parts: Sequence[Part], routers: Sequence[APIRouter]) -> FastAPI:
    """Return an application with the parts' routes, error bodies and limits."""
    app = FastAPI(title=TITLE, version=version("dialgate"), redirect_slashes=False)
    install(app, CommandApiSettings().limits())
    for part in parts:
        for router in part.routers():
            app.router.routes.extend(router.routes)  # Including it would match each path twice.
    for router in routers:
        app.include_router(router, include_in_schema=False)
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to replace it.
    return app


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of the whole public API: whichever service answers, the same."""
    from command_api.service import CommandApi
    from projector.service import Projector

    clock, log = SystemClock(), MemoryLog()
    whole = FastAPI(title=TITLE, version=version("dialgate"))
    for part in (
        CommandApi(log, clock, CommandApiSettings(), None),
        Projector(log, clock, ProjectorSettings(), None, None),
    ):
        for router in part.routers():
            whole.include_router(router)
    written = whole.openapi()
    written["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    written["security"] = [{"bearer": []}]  # Of every operation. Source: public contract, 7.1.
    return written
