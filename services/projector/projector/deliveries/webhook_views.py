"""GET of an organization's webhooks, without their secrets."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Reason, Rejected
from campaigns.http.door import json_response, refusal
from campaigns.records.topics import ORGANIZATIONS
from projector.deliveries.deliverer import Deliverer
from projector.deliveries.webhook_pages import WebhookPages
from projector.queries.freshness import Consistency, Fresh, Queries, get

WebhookId = Annotated[str, Path(pattern="^wh_[0-9a-f]{32}$")]


def router(queries: Queries, deliverer: Deliverer) -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])
    pages = WebhookPages(deliverer)
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def list_webhooks(caller: Who, consistency: Fresh = Consistency.LINEARIZABLE) -> Response:
        """List the organization's webhooks, newest first."""
        headers = await queries.catch_up([ORGANIZATIONS], consistency)
        shapes = await pages.shapes(pages.webhooks.of(caller.organization_id))
        shape = {"items": shapes, "total": len(shapes), "next": None}
        return json_response(shape, headers=headers)

    async def get_webhook(
        webhook_id: WebhookId, caller: Who, consistency: Fresh = Consistency.LINEARIZABLE
    ) -> Response:
        """Return a webhook: where delivery stands, and what its receiver answered last."""
        headers = await queries.catch_up([ORGANIZATIONS], consistency)
        found = pages.webhooks.named(caller.organization_id, webhook_id)
        if found is None:
            raise refusal(Rejected(Reason.UNKNOWN_WEBHOOK, "Webhook not found"))
        (shape,) = await pages.shapes([found])
        return json_response(shape, headers=headers)

    get(routes, "", list_webhooks, "WebhookList")
    get(routes, "/{webhook_id}", get_webhook, "WebhookShown")
    return routes
