"""One FastAPI application for whatever parts a process runs, and the one OpenAPI document.

The services are imported when the document is first requested.
"""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from campaigns.http.edge import install
from campaigns.log.port import MemoryLog
from campaigns.part import Part
from campaigns.process.clock import SystemClock
from command_api.settings import CommandApiSettings
from dialgate import pages
from projector.pages import assets
from projector.settings import ProjectorSettings

TITLE = "Dialgate"
ANSWERS = (
    "campaigns.http.schemas", "command_api.http.schemas", "projector.queries.schemas",
    "projector.queries.contact_schemas", "projector.queries.event_schemas",
    "projector.why.why_shapes", "projector.deliveries.webhook_shapes",
)  # fmt: skip
ABOUT = (
    "Outbound calling campaigns that can be paused and resumed, and whose pause is true when it is"
    " answered. Every operation asks for `Authorization: Bearer <API key>`. Every path is served"
    " with and without a trailing slash. Beside these, `/ws/campaigns/{campaign_id}/progress` and"
    " `/ws/campaigns/monitor` are WebSockets."
)


def make_app(parts: Sequence[Part], routers: Sequence[APIRouter]) -> FastAPI:
    """Return an application with the parts' routes, error bodies and limits."""
    app = FastAPI(
        title=TITLE,
        version=version("dialgate"),
        redirect_slashes=False,
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere.
        redoc_url=None,
        # Metrics are at /metrics; FastAPI would look at each request whether to measure it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    of_parts = [router for part in parts for router in part.routers()]
    install(app, CommandApiSettings().limits(), of_parts)
    app.include_router(assets.router())
    app.include_router(pages.router())
    for router in routers:
        app.include_router(router, include_in_schema=False)
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to replace it.
    return app


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of the whole public API, the same from each service."""
    from command_api.service import CommandApi
    from projector.service import Projector

    clock, log = SystemClock(), MemoryLog()
    whole = FastAPI(
        title=TITLE,
        version=version("dialgate"),
        description=ABOUT,
        generate_unique_id_function=_named,
    )
    for part in (
        CommandApi(log, clock, CommandApiSettings(), None),
        Projector(log, clock, ProjectorSettings(), None, None),
    ):
        for router in part.routers():
            whole.include_router(router)
    written = whole.openapi()
    written["components"]["schemas"] |= _answers()
    written["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    written["security"] = [{"bearer": []}]  # Of every operation. Source: contract 7.1.
    return written


def _answers() -> dict[str, Any]:
    """Return the schemas of all answers; routes only name them."""
    models = {
        model
        for module in map(import_module, ANSWERS)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ in ANSWERS
    }
    _, found = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _named(route: APIRoute) -> str:
    """Return the operation's name in generated clients: `campaigns_pause`."""
    tag = str(route.tags[0]) if route.tags else "dialgate"
    return f"{tag}_{route.name}".replace(" ", "_").lower()
