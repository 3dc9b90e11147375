"""The webhooks of this service: folded, kept in its store, and changed through its writer."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.codec import Codec
from campaigns.domain.decider import Facts
from campaigns.domain.facts import AnyWebhookFact
from campaigns.domain.webhooks import Webhook, Webhooks
from campaigns.log.writer import Answer, Origin, Writer
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import ORGANIZATIONS
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_settings import WebhookSettings
from command_api.idempotency import IdempotencyKeys, of_organization
from command_api.webhooks.webhook_changes import WebhookCommand, decider

_TABLE = (
    "create table if not exists webhooks (webhook_id text primary key, state text not null)"
    " without rowid"
)
WEBHOOK = Codec(Webhook)


@dataclass
class WebhookBook:
    """All webhooks of the log, kept in the store's open transaction."""

    writer: Writer[Campaigns]
    settings: WebhookSettings
    keys: KeyPlace
    webhooks: Webhooks = field(default_factory=Webhooks)

    def open(self, db: sqlite3.Connection, done: IdempotencyKeys) -> None:
        """Use a store, and the idempotency keys in it."""
        self._db, self._done = db, done
        db.execute(_TABLE)

    def restore(self) -> None:
        """Restore what the store holds.

        Raises:
            StoreUnreadableError: a webhook cannot be read.

        """
        for webhook_id, state in self._db.execute("select webhook_id, state from webhooks"):
            self.webhooks.take(WEBHOOK.load(state, f"webhook {webhook_id}"))

    def fold(self, fact: AnyWebhookFact, recorded: Recorded) -> None:
        """Fold one accepted fact."""
        assert isinstance(recorded.envelope, Envelope), "an accepted record"
        self._done.fold(of_organization(fact.organization_id), recorded)
        self.webhooks.fold(fact, recorded.envelope.id, recorded.position)
        found = self.webhooks.by_id.get(fact.webhook_id)
        if found is None:
            self._db.execute("delete from webhooks where webhook_id = ?", (fact.webhook_id,))
            return
        state = WEBHOOK.dump(found).decode()
        self._db.execute("insert or replace into webhooks values (?, ?)", (fact.webhook_id, state))

    async def change(self, command: WebhookCommand, origin: Origin) -> Answer:
        """Decide a command, or return what an earlier one with its Idempotency-Key did.

        Raises: see Writer.handle.
        """
        return await self.writer.handle(
            decider(self.webhooks, self.settings.per_organization_max),
            command,
            origin,
            partition=ORGANIZATIONS,
            key=command.organization_id,
            repeated=lambda _: self._done.earlier(
                of_organization(command.organization_id), origin.idempotency
            ),
        )

    async def preview(self, command: WebhookCommand) -> Facts | Answer:
        """Return how a command would be decided now. Raises: see Writer.preview."""
        made = decider(self.webhooks, self.settings.per_organization_max)
        return await self.writer.preview(made, command, partition=ORGANIZATIONS)

    async def settled(self, wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Wait until nobody begins a delivery without knowing of what was recorded before.

        A deliverer begins one only within `fresh_s` of having asked for the log's end and read up
        to it (projector.webhooks): so much later, each has read the record, or begins nothing.
        """
        await wait(self.settings.fresh_s)

    def made_by(self, organization_id: int, record_id: str) -> Webhook | None:
        """Return the webhook that a record created, or whose secret it rotated last."""
        for one in self.webhooks.of(organization_id):
            if record_id in (one.made_by, one.rotated_by):
                return one
        return None
