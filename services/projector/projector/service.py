"""The projector as a part of a process: folds the views, answers queries, publishes events."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from pydantic import SecretStr

from campaigns.domain.api_keys import ApiKeys, Caller, key_hash
from campaigns.domain.facts import AnyKeyFact, Scope
from campaigns.http.door import CallerOf, caller_of
from campaigns.http.session_cookie import key_given
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.clock import Clock
from campaigns.process.errors import StoreUnreadableError
from campaigns.process.watch import lasting
from campaigns.records.topics import (
    CAMPAIGN_EVENTS,
    CAMPAIGN_RECORDS,
    ORGANIZATIONS,
    RECORD_TOPICS,
    Partition,
    campaign_partitions,
)
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.adoption import adopt
from projector.advance import Views
from projector.commits import Commits
from projector.deliveries import webhook_views
from projector.deliveries.deliverer_setup import deliverer_of
from projector.exchange import Exchange
from projector.feeds import event_routes, monitor, progress
from projector.feeds.event_feed import ViewFeed
from projector.feeds.event_routes import EventQueries
from projector.feeds.event_tail import EventTail
from projector.feeds.hub import Hub
from projector.feeds.publisher import EventPublisher, Publishing
from projector.feeds.socket import Feeds
from projector.pages import site
from projector.pages.broadcast import Broadcasts
from projector.past.time_travel import TimeTravel
from projector.queries import campaign_routes, contact_routes, key_routes, lifecycle_routes
from projector.queries.freshness import Queries
from projector.settings import ProjectorSettings
from projector.store.replacement import replacement_of
from projector.store.view_store import ViewStore
from projector.why import why_routes


class Projector:
    """Follows the log and serves every GET. Only one projector may publish."""

    name = "projector"

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: ProjectorSettings,
        data_dir: Path | None,
        publisher: EventPublisher | None,
        *,
        master_keys: KeyPlace | None = None,
        webhooks: WebhookSettings | None = None,
    ) -> None:
        """Store the dependencies. `log` must be open.

        `data_dir` None: the store is temporary. `publisher` None: nothing is published.
        """
        self.log, self.clock, self.settings = log, clock, settings
        self._place = _secret(settings.database_url), data_dir
        self.store = ViewStore(*self._place)
        self.keys = ApiKeys()
        self.keys.configure(_secret(settings.api_key), _secret(settings.api_keys))
        self.limits = settings.rates(clock.monotonic)
        self._reader_of = caller_of(self.keys, self.limits, Scope.READ)
        self._admin_of = caller_of(self.keys, self.limits, Scope.ADMIN)
        self.views = Views(self.store, log, publisher is not None, self._fold_key)
        self.campaigns = self.views.campaigns  # Read by /metrics.
        self.hub = Hub(self.campaigns, settings.sockets_max, settings.sockets())
        self.views.on_changed = self.hub.changed
        self.broadcasts = Broadcasts(self.hub, clock.now)
        tail = EventTail(self.campaigns, settings.feed_buffer)
        self.views.on_stored, self.views.listened = tail.stored, tail.listened
        self.events = ViewFeed(self.views, tail)
        self.reader: Reader = self.views.reader
        self.travel = TimeTravel(
            self.store,
            log,
            settings.as_of_contacts_max,
            settings.as_of_at_once_max,
            settings.fresh_s,
        )
        place, feed = self._place, self.events
        self.deliverer = deliverer_of(self.views, place, feed, webhooks, master_keys, clock)
        self.commits = Commits(self.views, settings.linger_ms / 1000)
        self.publishing: Publishing | None = None
        if publisher is not None:
            self.publishing = Publishing(
                publisher,
                self.views,
                settings.publish_max,
                settings.publish_retry_s,
                settings.publish_retry_max_s,
            )
            self.views.on_moved = self.publishing.moved

    @property
    def partitions(self) -> list[Partition]:
        """Return the partitions that are followed."""
        return [*campaign_partitions(self.log.partitions(CAMPAIGN_RECORDS)), ORGANIZATIONS]

    def routers(self) -> Sequence[APIRouter]:
        """Return the routers of all queries and sockets."""
        queries = Queries(
            self.views,
            self._caller,
            self.settings.fresh_s,
            self.settings.page_max_mb * 2**20,
            self.travel,
            self.clock.now,
        )
        feeds = Feeds(queries, self.hub, self.clock, self.keys, self._caller_of_key, self.limits)
        routers = [
            routes.router(queries)
            for routes in (campaign_routes, contact_routes, lifecycle_routes, why_routes)
        ]
        routers.append(key_routes.router(queries, self.keys, self._admin))
        routers.append(event_routes.router(EventQueries(queries, self.events, self.hub)))
        routers.append(webhook_views.router(queries, self.deliverer))
        pages = site.routers(feeds, self.broadcasts)
        return [*routers, monitor.router(feeds), progress.router(feeds), *pages]

    def leave(self) -> None:
        """End the streams: the server stops."""
        self.broadcasts.close()  # First: a page that is closed is not signed out.
        self.hub.leave()

    def _fold_key(self, fact: AnyKeyFact) -> None:
        """Fold a fact about an API key; close the sockets of a revoked one."""
        self.keys.fold(fact)
        if fact.key_hash not in self.keys.callers:
            self.hub.revoked(fact.key_hash)

    async def _caller(self, request: Request) -> Caller:
        """Return the caller of a request that needs the scope `read`."""
        return await self._authenticated(request, self._reader_of)

    async def _admin(self, request: Request) -> Caller:
        """Return the caller of a request that needs the scope `admin`."""
        return await self._authenticated(request, self._admin_of)

    async def _authenticated(self, request: Request, caller_of: CallerOf) -> Caller:
        """Authenticate; if the key is unknown, try again after catching up with the log."""
        try:
            return await caller_of(request)
        except HTTPException as exc:
            if exc.status_code != 401 or not key_given(request)[0]:
                raise
        await self.reader.catch_up([ORGANIZATIONS], within_s=self.settings.fresh_s)
        return await caller_of(request)

    async def _caller_of_key(self, key: str) -> Caller | None:
        """Return the caller of a key, or None; for an unknown key, catch up with the log first."""
        hashed = key_hash(key)
        if hashed not in self.keys.callers:
            await self.reader.catch_up([ORGANIZATIONS], within_s=self.settings.fresh_s)
        return self.keys.callers.get(hashed)

    async def open(self) -> None:
        """Restore the checkpoint; a store of another log or schema is rebuilt.

        Views that `dialgate rebuild` has made take the place of the others first.

        Raises:
            LevelBeyondError: this build does not know the level of the installation.

        """
        await self.reader.begin()
        publishes, holds = self.publishing is not None, self.reader.installation
        if (made := replacement_of(*self._place)) is not None:
            await adopt(made, *self._place, self.log, holds, publishes=publishes)
        self.store.belongs_to(self.log.id, publishes=publishes, installation=holds)
        self.views.restore(self.partitions)
        await self.reader.check()

    async def run(self) -> None:
        """Follow the log, and publish, until cancelled.

        Raises:
            ContractError: the log holds a fact that this build does not know.

        """
        self.commits.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                committing = lasting(self.commits.run, "projector commits")
                tasks.create_task(committing, name="projector commits")
                following = partial(self.reader.follow, self.partitions)
                tasks.create_task(lasting(following, "projector follows"), name="projector follows")
                if (made := replacement_of(*self._place)) is not None:
                    again = self.publishing.begin_anew if self.publishing else lambda: None
                    check_s = self.settings.rebuilt_check_s
                    exchange = Exchange(self.views, self.commits, made, check_s, again)
                    name = "projector exchanges"
                    tasks.create_task(lasting(exchange.run, name), name=name)
                delivering = lasting(self.deliverer.run, "projector delivers")
                tasks.create_task(delivering, name="projector delivers")
                if self.publishing is not None:
                    name = "projector publishes"
                    tasks.create_task(
                        lasting(partial(self._publish, self.publishing), name), name=name
                    )
        except BaseExceptionGroup as exc:
            self.store.unreadable = exc.subgroup(StoreUnreadableError) is not None
            raise

    async def _publish(self, publishing: Publishing) -> None:
        """Publish while the log is at home here: a copy would publish everything once more."""
        while True:
            await self.reader.home.at_home()
            async with asyncio.TaskGroup() as tasks:
                run = partial(publishing.run, self.log.partitions(CAMPAIGN_RECORDS))
                running = tasks.create_task(lasting(run, "projector publishes"))
                while self.reader.home.read_only is None:
                    await self.reader.home.moved()
                running.cancel()

    async def troubles(self) -> Sequence[str]:
        """Return why the projector is not ready.

        It stays ready while publishing is behind, but not while it lacks the right to publish, or
        campaign.events was made anew.
        """
        writing = [CAMPAIGN_EVENTS] if self.publishing is not None else []
        found = [f"projector: {one}" for one in self.log.troubles(writing, RECORD_TOPICS)]
        if self.publishing is not None:
            found += [f"projector: {one}" for one in self.publishing.cut.values()]
        if away := self.store.away or await asyncio.to_thread(self.store.trouble):
            return [*found, f"projector: {away}"]
        if found or await self.reader.ready(self.partitions, within_s=self.settings.fresh_s):
            return found
        return ["projector: the log does not answer, or the views are behind it"]

    async def drain(self) -> None:
        """Store what has been folded, and where deliveries stand."""
        await self.deliverer.drain()
        await self.commits.drain()

    async def close(self) -> None:
        """Close the publisher and the store, once no thread uses it."""
        await self.deliverer.close()
        self.travel.close()
        self.commits.close()
        if self.publishing is not None:
            await self.publishing.close()
        self.store.close()


def _secret(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
