"""The listeners of all campaigns. They are notified of each stored batch. Knows no sockets."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact
from campaigns.http.shares import Shares
from projector.projections.changes import Place

CONTACTS_MAX = 1000  # Kept for a slow listener; the oldest are dropped.


@dataclass(slots=True, eq=False)
class Listener:
    """One connection, with the changes that have not been sent to it yet."""

    organization_id: int
    key_hash: str
    client: str
    connected_at: datetime
    campaign_id: int | None  # None: all campaigns of the organization.
    only: set[int] | None = None  # A subset of those; None: all.
    changed: set[int] = field(default_factory=set)
    contacts: dict[int, Contact] = field(default_factory=dict)
    notified: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)  # Set: the connection must close.
    displaced: bool = False  # It closes for an organization with fewer connections.

    def take(self) -> tuple[set[int], list[Contact]]:
        """Return the changed campaigns and contacts, and clear them."""
        changed, contacts = self.changed, list(self.contacts.values())
        self.changed, self.contacts = set(), {}
        self.notified.clear()
        return changed, contacts


@dataclass
class Hub:
    """All connections of one projector."""

    campaigns: Campaigns
    listeners_max: int
    shares: Shares
    _of_campaign: dict[int, set[Listener]] = field(default_factory=dict)
    _of_organization: dict[int, set[Listener]] = field(default_factory=dict)
    _all: dict[Listener, None] = field(default_factory=dict)  # Oldest connection first.

    @property
    def full(self) -> bool:
        """Say whether the process has as many connections as it may have."""
        return self.shares.total >= self.listeners_max

    def admit(self, caller: Caller) -> Callable[[], None] | None:
        """Admit a connection; return the function to call at its end, or None: it is refused.

        At the limit, the newest connection of the organization with the most is closed for one of
        an organization that has at least two fewer.
        """
        if self.full and not self._make_room(caller.organization_id):
            return None
        return self.shares.take(caller)

    def _make_room(self, organization_id: int) -> bool:
        counts = self.shares.of_organization
        for most, count in counts.most_common():
            if count < counts[organization_id] + 2:
                return False
            for listener in reversed(self._all):
                if listener.organization_id == most and not listener.leaving.is_set():
                    listener.displaced = True
                    listener.leaving.set()
                    return True
        return False

    def revoked(self, key_hash: str) -> None:
        """Close the connections of a revoked key."""
        for listener in self._all:
            if listener.key_hash == key_hash:
                listener.leaving.set()

    def of(self, campaign_id: int) -> list[Listener]:
        """Return the listeners of a campaign, oldest connection first."""
        found = self._of_campaign.get(campaign_id, ())
        return sorted(found, key=lambda one: one.connected_at)

    @contextmanager
    def present(self, listener: Listener) -> Iterator[None]:
        """Register a connection that is told nothing, but may have to leave."""
        self._all[listener] = None
        try:
            yield
        finally:
            del self._all[listener]

    def leave(self) -> None:
        """Close all connections: the server stops."""
        for listener in self._all:
            listener.leaving.set()

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Register a listener for the duration of the context."""
        if listener.campaign_id is None:
            kept, key = self._of_organization, listener.organization_id
        else:
            kept, key = self._of_campaign, listener.campaign_id
        kept.setdefault(key, set()).add(listener)
        self._all[listener] = None
        try:
            yield
        finally:
            del self._all[listener]
            kept[key].discard(listener)
            if not kept[key]:
                del kept[key]

    def changed(self, campaign_ids: Collection[int], contacts: Mapping[Place, Contact]) -> None:
        """Notify the listeners of the campaigns and contacts that a batch changed."""
        if not self._all:
            return
        for campaign_id in campaign_ids:
            for listener in self._of_campaign.get(campaign_id, ()):
                listener.changed.add(campaign_id)
                listener.notified.set()
            campaign = self.campaigns.get(campaign_id)
            organization_id = campaign.created.organization_id if campaign else 0
            for listener in self._of_organization.get(organization_id, ()):
                if listener.only is None or campaign_id in listener.only:
                    listener.changed.add(campaign_id)
                    listener.notified.set()
        if self._of_campaign:
            for (campaign_id, contact_id), contact in contacts.items():
                for listener in self._of_campaign.get(campaign_id, ()):
                    _keep(listener.contacts, contact_id, contact)


def _keep(kept: dict[int, Contact], contact_id: int, contact: Contact) -> None:
    kept.pop(contact_id, None)
    kept[contact_id] = replace(contact)  # A copy: the fold changes its own.
    if len(kept) > CONTACTS_MAX:
        del kept[next(iter(kept))]
