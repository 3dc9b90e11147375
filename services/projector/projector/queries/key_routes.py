"""GET of an organization's API keys, without the keys themselves."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from campaigns.domain.api_keys import ApiKeys, Caller
from campaigns.http.campaign_json import key_shape
from campaigns.http.door import CallerOf
from campaigns.http.responses import ERRORS
from campaigns.records.topics import ORGANIZATIONS
from projector.queries.freshness import Consistency, Fresh, Queries, get


def router(queries: Queries, keys: ApiKeys, admin: CallerOf) -> APIRouter:
    """Return the route, bound to one instance. `admin` authenticates."""
    routes = APIRouter(prefix="/api/v1/keys", tags=["keys"])
    Who = Annotated[Caller, Depends(admin)]  # noqa: N806  (a type)

    async def list_keys(caller: Who, consistency: Fresh = Consistency.LINEARIZABLE) -> Response:
        """List the organization's API keys, newest first, revoked ones too."""
        headers = await queries.catch_up([ORGANIZATIONS], consistency)
        shapes = [key_shape(keys, one.key_hash) for one in keys.of(caller.organization_id)]
        shape = {"keys": shapes, "items": shapes, "total": len(shapes)}
        return await queries.read(lambda _: shape, headers)

    get(routes, "", list_keys, "KeyList", also={403: ERRORS[403]})
    return routes
