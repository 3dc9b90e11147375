"""Who listens to what: told of each batch once it is stored. No sockets in here."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact
from campaigns.http.shares import Shares
from projector.projections.changes import Place

CONTACTS_MAX = 1000  # That wait for a slow listener; older ones are left out then.


@dataclass(slots=True, eq=False)
class Listener:
    """One connection. What it has not been told yet is kept once a campaign and contact."""

    organization_id: int
    key_hash: str
    client: str
    connected_at: datetime
    campaign_id: int | None  # None: all of the organization.
    only: set[int] | None = None  # Of those, these; None: all.
    changed: set[int] = field(default_factory=set)
    contacts: dict[int, Contact] = field(default_factory=dict)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)  # It must go: its key is none …
    displaced: bool = False  # … or others have fewer connections, and there are no more.

    def take(self) -> tuple[set[int], list[Contact]]:
        """Return the campaigns that have changed, and contacts, and forget them."""
        changed, contacts = self.changed, list(self.contacts.values())
        self.changed, self.contacts = set(), {}
        self.told.clear()
        return changed, contacts


@dataclass
class Hub:
    """All connections of one projector."""

    campaigns: Campaigns
    listeners_max: int
    shares: Shares
    _of_campaign: dict[int, set[Listener]] = field(default_factory=dict)
    _of_organization: dict[int, set[Listener]] = field(default_factory=dict)
    _all: dict[Listener, None] = field(default_factory=dict)  # Longest first.

    def come(self, caller: Caller) -> Callable[[], None] | None:
        """Let a connection in; return what is called when it has gone. None: there is no share.

        When there are too many, the newest of the organization that has most gives way to one of
        an organization that has fewer by two or more.
        """
        if self.shares.total >= self.listeners_max and not self._make_room(caller.organization_id):
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
        """Let those go whose key is none any more."""
        for listener in self._all:
            if listener.key_hash == key_hash:
                listener.leaving.set()

    def of(self, campaign_id: int) -> list[Listener]:
        """Return who listens to a campaign, longest first."""
        found = self._of_campaign.get(campaign_id, ())
        return sorted(found, key=lambda one: one.connected_at)

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Tell a listener for as long as this lasts."""
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
        """Tell who listens to what a batch has changed."""
        if not self._all:
            return
        for campaign_id in campaign_ids:
            for listener in self._of_campaign.get(campaign_id, ()):
                listener.changed.add(campaign_id)
                listener.told.set()
            campaign = self.campaigns.get(campaign_id)
            organization_id = campaign.created.organization_id if campaign else 0
            for listener in self._of_organization.get(organization_id, ()):
                if listener.only is None or campaign_id in listener.only:
                    listener.changed.add(campaign_id)
                    listener.told.set()
        if self._of_campaign:
            for (campaign_id, contact_id), contact in contacts.items():
                for listener in self._of_campaign.get(campaign_id, ()):
                    _keep(listener.contacts, contact_id, contact)


def _keep(kept: dict[int, Contact], contact_id: int, contact: Contact) -> None:
    kept.pop(contact_id, None)
    kept[contact_id] = replace(contact)  # The fold goes on changing its own.
    if len(kept) > CONTACTS_MAX:
        del kept[next(iter(kept))]
