"""How commands about webhooks are decided and answered: what their routes share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

from fastapi import Response

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.webhooks import Webhook
from campaigns.events.cursor import Cursor, Passed
from campaigns.http.campaign_json import Shape
from campaigns.http.door import POSITION, json_response
from campaigns.http.webhook_json import webhook_shape
from campaigns.log.writer import Handled
from campaigns.records.topics import CAMPAIGN_RECORDS, ORGANIZATIONS, campaign_partitions
from campaigns.secrets.master_key import MasterKeyError
from campaigns.webhooks.webhook_endpoint import about
from command_api.http.options import Options, origin_of
from command_api.http.replies import count, counted, refused
from command_api.webhooks.trial import tried_out
from command_api.webhooks.webhook_book import WebhookBook
from command_api.webhooks.webhook_changes import (
    CreateWebhook,
    EndWebhook,
    RotateSecret,
    WebhookCommand,
)

if TYPE_CHECKING:
    from command_api.service import CommandApi

UNKNOWN = Rejected(Reason.UNKNOWN_WEBHOOK, "Webhook not found")
WITH_SECRET = CreateWebhook | RotateSecret


@dataclass(frozen=True)
class WebhookDesk:
    """Answers commands about webhooks for one instance."""

    service: "CommandApi"

    @property
    def book(self) -> WebhookBook:
        """Return the webhooks."""
        return self.service.webhook_book

    def now(self) -> datetime:
        """Return the time of a command."""
        return self.service.clock.now()

    async def tried_out(self, webhook_id: str, caller: Caller) -> Response:
        """Send a webhook one event that tells nothing, and answer what became of it.

        Raises:
            HTTPException: there is none, or its secret cannot be opened.
            ReadOnlyError: the log is a copy: nothing leaves it.

        """
        self.service.reader.home.refuse_copy()
        within_s = self.service.settings.command_catch_up_s
        await self.service.reader.catch_up([ORGANIZATIONS], within_s=within_s)
        found = self.found(caller, webhook_id)
        with self.key_known("test-webhook"):
            return json_response(await tried_out(found, self.book, self.service.clock))

    async def ends(self) -> Mapping[int, int]:
        """Return where each campaign partition of the log ends. Raises: see EventLog.ends."""
        log = self.service.log
        found = await log.ends(campaign_partitions(log.partitions(CAMPAIGN_RECORDS)))
        return {partition.number: end for partition, end in found.items()}

    def sealed(self, verb: str, secret: str, organization_id: int, webhook_id: str) -> str:
        """Return a secret as the log may have it.

        Raises:
            HTTPException: 409, there is no master key.

        """
        with self.key_known(verb):
            key = self.book.keys.sealing()
        return key.seal(secret.encode(), about(organization_id, webhook_id))

    @contextmanager
    def key_known(self, verb: str) -> Iterator[None]:
        """Answer 409 where there is no master key, or not the one that is needed."""
        try:
            yield
        except (MasterKeyError, OSError) as exc:
            raise refused(verb, Rejected(Reason.NO_MASTER_KEY, str(exc))) from exc

    def found(self, caller: Caller, webhook_id: str) -> Webhook:
        """Return the caller's webhook.

        Raises:
            HTTPException: 404, there is none.

        """
        found = self.book.webhooks.named(caller.organization_id, webhook_id)
        if found is None:
            raise refused("webhook", UNKNOWN)
        return found

    async def answer(
        self, verb: str, command: WebhookCommand, caller: Caller, options: Options
    ) -> Response:
        """Decide a command, wait until it holds everywhere, and answer.

        Raises:
            HTTPException: it was rejected.
            RequestValidationError: its Idempotency-Key was used with another request before.

        """
        began, book = perf_counter(), self.book
        before = book.webhooks.named(caller.organization_id, command.webhook_id)
        if options.dry_run:
            return await self._tried(verb, command, before)
        with counted(verb):
            origin = origin_of(caller, options.keyed)
            done = await book.change(command, origin)
        if isinstance(done, Rejected):
            raise refused(verb, done)
        headers = {POSITION: done.ruling.at} if isinstance(done, Handled) else {}
        if not isinstance(command, WITH_SECRET):
            await book.settled()
        count(verb, began)
        if isinstance(command, EndWebhook):
            shape: Shape = {"id": command.webhook_id, "message": "Webhook ended"}
            return json_response(shape, 200, headers)
        if isinstance(done, Handled) and isinstance(command, WITH_SECRET):
            return json_response(self._made(caller, done), 200, headers)
        return json_response(webhook_shape(self.found(caller, command.webhook_id)), 200, headers)

    def _made(self, caller: Caller, done: Handled) -> Shape:
        """Return a webhook with the secret that a record gave it, if it still has that one.

        A request that is repeated, because its answer was lost, gets the same answer.
        """
        book = self.book
        found = book.made_by(caller.organization_id, done.record_id)
        if found is None:
            raise refused("webhook", UNKNOWN)  # It has ended since.
        current = done.record_id == (found.rotated_by or found.made_by)
        with self.key_known("webhook"):
            bound = about(found.organization_id, found.webhook_id)
            secret = book.keys.open(found.secret, bound).decode() if current else None
        return webhook_shape(found) | {"secret": secret}

    async def _tried(self, verb: str, command: WebhookCommand, before: Webhook | None) -> Response:
        """Answer a dry run: the webhook as it is, or would be made."""
        if isinstance(no := await self.book.preview(command), Rejected):
            raise refused(verb, no)
        shape = webhook_shape(before) if before else {"id": None}
        return json_response(shape | {"dry_run": True})


def now_at(ends: Mapping[int, int]) -> Cursor:
    """Return the cursor of these ends: what is recorded later comes after it."""
    return Cursor({number: Passed(end) for number, end in ends.items()})
