"""The command API as a part of a process: its fold, its writer and its barrier."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import uuid4

from fastapi import APIRouter

from campaigns.domain.api_keys import ApiKeys
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Facts, Rejected
from campaigns.domain.facts import (
    ApiKeyCreated,
    ApiKeyRevoked,
    CallFact,
    ContactsAdded,
    ContactsEncrypted,
    CreateKeyed,
    InstallationFact,
    ListClosed,
    WebhookFact,
)
from campaigns.http.shares import Shares
from campaigns.log.installation_log import founded
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.log.writer import Answer, Handled, Origin, Reread, Writer
from campaigns.personal.list_keys import PLAIN
from campaigns.process.clock import Clock
from campaigns.process.watch import lasting
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    ORGANIZATIONS,
    RECORD_TOPICS,
    Partition,
    campaign_partition,
    campaign_partitions,
)
from campaigns.secrets.key_place import KeyPlace
from campaigns.stores.checkpoint import SAVE_S, CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from campaigns.stores.host import Guests
from campaigns.webhooks.webhook_settings import WebhookSettings
from command_api.barrier import Barrier, Settled
from command_api.commands.lifecycle import M
from command_api.commands.verb import Verb
from command_api.creator import Creator
from command_api.eraser import Eraser
from command_api.idempotency import IdempotencyKeys
from command_api.imports.csv_imports import CsvImports
from command_api.keys.key_changes import ensure_some_key
from command_api.keys.keyring import Keyring
from command_api.open_lists import OpenLists
from command_api.retention import Retention
from command_api.routers import command_routers
from command_api.settings import CommandApiSettings
from command_api.templates.renderer import Renderer
from command_api.webhooks.webhook_book import WebhookBook

logger = logging.getLogger(__name__)


class CommandApi:
    """One instance of any number: parses, authenticates, decides, appends, waits."""

    name = "command-api"

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: CommandApiSettings,
        data_dir: Path | None,
        *,
        show_key: Callable[[str], None] = lambda key: None,
        master_keys: KeyPlace | None = None,
        webhooks: WebhookSettings | None = None,
    ) -> None:
        self.log, self.clock, self.settings = log, clock, settings
        self._data_dir, self._show_key = data_dir, show_key
        self.keys = ApiKeys()
        self.keys.configure(
            settings.api_key.get_secret_value() if settings.api_key else None,
            settings.api_keys.get_secret_value() if settings.api_keys else None,
        )
        self.limits = settings.rates(clock.monotonic)
        self.campaigns = Campaigns()
        self.reader = Reader(log, self)
        self.barrier = Barrier(clock)
        source = f"command-api/{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self.writer: Writer[Campaigns] = Writer(
            self.reader,
            self.campaigns,
            clock,
            source,
            settings.tries_s,
            settings.ruling_s,
            settings.command_catch_up_s,
        )
        self.keyring = Keyring(self.writer, self.keys)
        self.webhook_book = WebhookBook(
            self.writer, webhooks or WebhookSettings(), master_keys or KeyPlace()
        )
        self.csv_imports = CsvImports(self)
        self.eraser = Eraser(self)
        self.lists = OpenLists(self, settings.list_stale_s)
        # No bound for each key: an organization divides its imports among its keys as it likes.
        imports_max = settings.imports_per_organization_max
        self.imports = Shares(imports_max, imports_max)
        self.guests = Guests()  # Parts of this process that share this fold.
        self.renderer = Renderer(settings.template_s, settings.previews_per_organization_max)

    def routers(self) -> Sequence[APIRouter]:
        """Return the routes of the commands."""
        return command_routers(self)

    @property
    def partitions(self) -> int:
        """Return how many partitions campaigns have."""
        return self.log.partitions(CAMPAIGN_RECORDS)

    async def open(self) -> None:
        """Restore the checkpoint; the log is open already. Raises: see `founded`."""
        await self.reader.begin(await founded(self.log, self.clock, self.writer.source))
        path = self._data_dir / "command-api.db" if self._data_dir else None
        self.store = CheckpointStore(path, self.log.id, self.reader.installation)
        mark = self.log.list_keys.mark() if self.log.list_keys else PLAIN
        if self.log.list_keys is None:
            logger.warning("this log has no store of keys: contacts are written plain")
        self.contacts = Contacts(self.store.db, mark, self.eraser.drop)
        self.creator = Creator(self.writer, self.partitions, self.store.db, self.lists)
        self.idempotency_keys = IdempotencyKeys(self.store.db, self.settings.idempotency_keys_max)
        self.keyring.open(self.store.db)
        self.eraser.open(self.store.db)
        self.webhook_book.open(self.store.db, self.idempotency_keys)
        others = self.creator.restore, self.keyring.restore, self.webhook_book.restore
        self.store.restore(self.reader, self.campaigns, *others)
        await self.reader.check()
        self.barrier.restored(self.campaigns.by_id.values())

    async def run(self) -> None:
        """Follow the log until cancelled; run imports; make the first API key if there is none."""
        with self.store.in_use():
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            everything = [*campaign_partitions(self.partitions), ORGANIZATIONS]
            tasks.create_task(
                lasting(partial(self.reader.follow, everything), "command-api follows")
            )
            tasks.create_task(lasting(self._save_regularly, "command-api saves"))
            tasks.create_task(lasting(self.csv_imports.run, "command-api imports"))
            tasks.create_task(lasting(self.eraser.run, "command-api forgets"))
            if (days := self.settings.forget_after_days) is not None:
                tasks.create_task(lasting(Retention(self, days).run, "command-api retention"))
            tasks.create_task(self._ensure_key())

    async def _ensure_key(self) -> None:
        within_s = self.settings.command_catch_up_s
        await ensure_some_key(self.writer, self.keys, self._show_key, within_s)

    # -- the fold ------------------------------------------------------------------------------

    def fold(self, recorded: Recorded) -> None:
        """Fold one accepted record into campaigns, contacts, keys, and the barrier."""
        fold_contacts(self.campaigns, self.contacts, recorded)
        for fact in recorded.facts:
            match fact:
                case CallFact():
                    if fact.campaign_id in self.campaigns.by_id:
                        self.barrier.fold(fact)
                case ContactsAdded() | ContactsEncrypted() | ListClosed() | InstallationFact():
                    continue
                case CreateKeyed():
                    self.creator.fold(fact)
                case ApiKeyCreated() | ApiKeyRevoked():
                    self.keyring.fold(fact)
                case WebhookFact():
                    self.webhook_book.fold(fact, recorded)
                case _:
                    self.eraser.fold(fact)
                    self.idempotency_keys.fold(fact.campaign_id, recorded)
        self.guests.note(recorded)

    def folded(self, partition: Partition, position: int) -> None:
        """Write the contacts of the batch; `save` commits about every second."""
        self.contacts.flush()
        self.guests.noted(partition, position)

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self.store.save_in_slices(self.reader, self.campaigns, self.partitions)

    # -- what routes need ----------------------------------------------------------------------

    async def move(
        self,
        verb: Verb[M],
        command: M,
        origin: Origin,
        reread: Reread[M] | None = None,
    ) -> Answer:
        """Decide a lifecycle command, or return what an earlier request with its key did.

        Raises: see Writer.handle.
        """
        return await self.writer.handle(
            verb.decider,
            command,
            origin,
            partition=campaign_partition(command.campaign_id, self.partitions),
            key=command.campaign_id,
            repeated=lambda folded: self._repeated(folded, verb, command, origin),
            reread=reread,
        )

    async def preview(
        self,
        verb: Verb[M],
        command: M,
        reread: Reread[M] | None = None,
    ) -> Facts | Answer:
        """Return how a command would be decided now. Raises: see Writer.preview."""
        partition = campaign_partition(command.campaign_id, self.partitions)
        return await self.writer.preview(verb.decider, command, partition=partition, reread=reread)

    def _repeated(
        self, folded: Campaigns, verb: Verb[M], command: M, origin: Origin
    ) -> Handled | Rejected | None:
        campaign = folded.get(command.campaign_id)
        if campaign is None or campaign.created.organization_id != command.organization_id:
            return None  # Another organization's Idempotency-Keys do not exist for the caller.
        if campaign.deleted and not verb.repeatable_when_deleted:
            return None  # Nor do those of a deleted campaign, except that of its delete.
        return self.idempotency_keys.earlier(command.campaign_id, origin.idempotency)

    async def settled(self, campaign_id: int, position: int | None = None) -> Settled:
        """Wait until no permission accepted before `position` (None: until now) can still ring."""
        partition = campaign_partition(campaign_id, self.partitions)
        if position is None:
            position = self.reader.positions.get(partition, 0) + 1
        return await self.barrier.passed(self.campaigns.by_id[campaign_id], position)

    # -- health and the end --------------------------------------------------------------------

    async def troubles(self) -> Sequence[str]:
        """Return why the part is not ready: the log does not answer, or the fold lags behind it."""
        if found := self.log.troubles(RECORD_TOPICS, RECORD_TOPICS):  # Known without waiting.
            return [f"command-api: {trouble}" for trouble in found]
        everything = [*campaign_partitions(self.partitions), ORGANIZATIONS]
        ready = await self.reader.ready(everything, within_s=self.settings.command_catch_up_s)
        return () if ready else ("command-api: the log is away, or too far ahead",)

    async def drain(self) -> None:
        """Do nothing: requests are answered, and another instance fails the imports in progress."""

    async def close(self) -> None:
        """Write the checkpoint."""
        await self.renderer.close()
        self.store.save(self.reader, self.campaigns, self.partitions)
        self.store.close()
