"""API keys over HTTP: created and revoked by admin keys. The projector lists them."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from campaigns.domain.api_keys import Caller, key_hash
from campaigns.domain.decider import Rejected
from campaigns.domain.facts import Scope
from campaigns.http.campaign_json import key_shape
from campaigns.http.door import caller_of, json_response
from campaigns.http.responses import ERRORS, ok
from campaigns.process.printable_text import one_line
from command_api.http.bodies import Body
from command_api.http.json_route import JsonRoute
from command_api.http.options import InEarnest, origin_of
from command_api.http.replies import refused
from command_api.keys.key_changes import NAME_UNUSABLE, CreateKey, RevokeKey, new_key

if TYPE_CHECKING:
    from command_api.service import CommandApi

RATE_MAX = 1_000_000


def _printable(name: str) -> str:
    if one_line(name) != name:
        raise ValueError(NAME_UNUSABLE)
    return name


KeyName = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)
]


class KeyBody(Body):
    """The body of a create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "dashboard", "scope": "read", "rate_limit": 600}]}
    )

    name: KeyName | None = None
    scope: Scope = Scope.OPERATE
    rate_limit: Annotated[int, Field(ge=1, le=RATE_MAX)] | None = None  # Requests a minute.


KeyId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


def router(service: "CommandApi") -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/keys", tags=["keys"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits, Scope.ADMIN))]

    @routes.post("", responses=ERRORS | ok("KeyMade"))
    async def create(body: KeyBody, caller: who, in_earnest: InEarnest) -> Response:
        """Make an API key of the organization. The key itself is shown this once."""
        key = new_key()
        command = CreateKey(
            caller.organization_id,
            key,
            service.clock.now(),
            body.name,
            body.scope,
            body.rate_limit,
        )
        handled = await service.keyring.change(command, origin_of(caller, None))
        if isinstance(handled, Rejected):
            raise refused("create-key", handled)
        return json_response(key_shape(service.keys, key_hash(key)) | {"key": key})

    @routes.delete("/{key_id}", responses=ERRORS | ok("KeyRevoked"))
    async def revoke(key_id: KeyId, caller: who, in_earnest: InEarnest) -> Response:
        """Revoke an API key: effective here at once, within a second elsewhere."""
        command = RevokeKey(caller.organization_id, key_id, service.clock.now())
        handled = await service.keyring.change(command, origin_of(caller, None))
        if isinstance(handled, Rejected):
            raise refused("revoke-key", handled)
        found = service.keys.named(caller.organization_id, key_id)
        assert found is not None, "it was revoked"
        return json_response(key_shape(service.keys, found.key_hash) | {"message": "Key revoked"})

    return routes
