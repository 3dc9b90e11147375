"""Template preview: a template rendered with given variables."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import ConfigDict

from campaigns.domain.api_keys import Caller
from campaigns.domain.facts import Scope
from campaigns.http.door import caller_of, json_response
from campaigns.http.responses import ERRORS, ok
from command_api.http.bodies import Body, Text
from command_api.http.json_route import JsonRoute
from command_api.http.options import PREFIX

if TYPE_CHECKING:
    from command_api.service import CommandApi


class TemplateBody(Body):
    """The body of a preview."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"template": "Hello {{ name }}", "variables": {"name": "Ann"}}]
        }
    )

    template: Text
    variables: dict[str, Any] | None = None  # Any: JSON, read by the template.


def router(service: "CommandApi") -> APIRouter:
    """Return the preview, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["campaigns"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits, Scope.READ))]

    @routes.post("/template-preview", responses=ERRORS | ok("PreviewAnswer"))
    async def preview(body: TemplateBody, caller: who) -> Response:
        """Show how a template reads. A mistake in it is an answer too."""
        text, wrong = await service.renderer.render(
            body.template, body.variables or {}, caller.organization_id
        )
        if text is None:
            text, success = f"[Template Error: {wrong}] {body.template}", False
        else:
            success = True
        return json_response({"success": success, "rendered_template": text})

    return routes
