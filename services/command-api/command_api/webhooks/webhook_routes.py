"""Webhooks over HTTP: created, changed, rotated, tested, replayed, ended by admin keys.

The projector lists them, and delivers.
"""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.facts import Scope
from campaigns.http.door import caller_of
from campaigns.http.responses import ERRORS, NO_KEY, ok
from command_api.http.json_route import JsonRoute
from command_api.http.options import InEarnest, Options, options_of
from command_api.webhooks.webhook_bodies import (
    ReplayBody,
    WebhookBody,
    WebhookChangeBody,
    unique,
    usable_cursor,
    usable_url,
)
from command_api.webhooks.webhook_changes import (
    ChangeWebhook,
    CreateWebhook,
    EndWebhook,
    ReplayEvents,
    RotateSecret,
    new_secret,
    new_webhook_id,
)
from command_api.webhooks.webhook_desk import WebhookDesk, now_at

if TYPE_CHECKING:
    from command_api.service import CommandApi

WebhookId = Annotated[str, Path(pattern="^wh_[0-9a-f]{32}$")]
DONE = ERRORS | NO_KEY | ok("WebhookChange", "WebhookEnd")
MADE = ERRORS | NO_KEY | ok("WebhookMade")


def router(service: "CommandApi") -> APIRouter:
    """Return the routes, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits, Scope.ADMIN))]
    with_what = Annotated[Options, Depends(options_of(service))]
    desk = WebhookDesk(service)

    @routes.post("", responses=MADE)
    async def create(body: WebhookBody, caller: who, options: with_what) -> Response:
        """Deliver the organization's events to a URL. The secret is shown this once."""
        command = await _create(desk, body, caller)
        return await desk.answer("create-webhook", command, caller, options)

    @routes.patch("/{webhook_id}", responses=DONE)
    async def change(
        webhook_id: WebhookId, body: WebhookChangeBody, caller: who, options: with_what
    ) -> Response:
        """Change what it names. Nothing begins after the 200 but as it says."""
        if body.url is not None:
            usable_url(body.url, private=desk.book.settings.private)
        command = ChangeWebhook(caller.organization_id, webhook_id, desk.now(), body.changes())
        return await desk.answer("change-webhook", command, caller, options)

    @routes.delete("/{webhook_id}", responses=DONE)
    async def end(webhook_id: WebhookId, caller: who, options: with_what) -> Response:
        """End a webhook: nothing is delivered after the 200 but what was on its way."""
        command = EndWebhook(caller.organization_id, webhook_id, desk.now())
        return await desk.answer("end-webhook", command, caller, options)

    @routes.post("/{webhook_id}/rotate", responses=MADE)
    async def rotate(webhook_id: WebhookId, caller: who, options: with_what) -> Response:
        """Sign by a new secret, which is shown this once. For 24 hours the old one signs too."""
        sealed = desk.sealed("rotate-webhook", new_secret(), caller.organization_id, webhook_id)
        command = RotateSecret(caller.organization_id, webhook_id, desk.now(), sealed)
        return await desk.answer("rotate-webhook", command, caller, options)

    @routes.post("/{webhook_id}/replay", responses=DONE)
    async def replay(
        webhook_id: WebhookId, body: ReplayBody, caller: who, options: with_what
    ) -> Response:
        """Deliver a stretch of events again, in order, before going on."""
        ends = await desk.ends()
        after = usable_cursor("after", body.after, ends)
        until = usable_cursor("until", body.until, ends) if body.until is not None else None
        command = ReplayEvents(caller.organization_id, webhook_id, desk.now(), after, until)
        return await desk.answer("replay-webhook", command, caller, options)

    @routes.post("/{webhook_id}/test", responses=ERRORS | NO_KEY | ok("WebhookTried"))
    async def test(webhook_id: WebhookId, caller: who, in_earnest: InEarnest) -> Response:
        """Send one event of type `dialgate.test` now, once; say what became of it."""
        return await desk.tried_out(webhook_id, caller)

    return routes


async def _create(desk: WebhookDesk, body: WebhookBody, caller: Caller) -> CreateWebhook:
    url = usable_url(body.url, private=desk.book.settings.private)
    ends = await desk.ends()
    after = usable_cursor("after", body.after or str(now_at(ends)), ends)
    webhook_id = new_webhook_id()
    return CreateWebhook(
        caller.organization_id,
        webhook_id,
        desk.now(),
        url,
        unique(body.types),
        unique(body.campaign_ids),
        body.description,
        after,
        desk.sealed("create-webhook", new_secret(), caller.organization_id, webhook_id),
    )
