"""One campaign's queue: which contacts to request next. Pure, except that it reads contacts.

Rate and capacity are checked before a permission is requested, never after.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.gates.room import Turn

INFINITY = float("inf")
FRESH_AT_ONCE = 512  # Contact ids read ahead: memory does not grow with the list.


class ContactIndex(Protocol):
    """What the fold knows of contacts (`campaigns.stores.contacts.Contacts`)."""

    def get(self, campaign: Campaign, contact_id: int) -> Contact:
        """Return what became of a contact."""
        ...

    def due(self, campaign: Campaign, now: datetime, limit: int) -> list[Contact]:
        """Return touched contacts that may be called again by now."""
        ...

    def next_due(self, campaign: Campaign) -> float | None:
        """Return when the next touched contact is due, as Unix time."""
        ...

    def fresh(self, campaign: Campaign, after: int, limit: int) -> tuple[list[int], int]:
        """Return the next untouched contacts behind `after`, and the last id considered."""
        ...


@dataclass(slots=True)
class CampaignQueue:
    """What the dialer keeps of one campaign besides the fold."""

    asked: set[int] = field(default_factory=set)  # Contacts whose request has no ruling yet.
    fresh: deque[int] = field(default_factory=deque)  # Next never-touched contacts, in order.
    read_to: int = 0  # The last contact id that was considered for `fresh`.
    rest_until: float = 0.0  # CLOCK_BOOTTIME. After a request that the log lost or failed to take.
    exhausting: dict[int, float] = field(default_factory=dict)  # Contact → when offered, boottime.
    transition_id: str | None = None  # Of the record that begins, fails or completes it, offered.
    transition_at: float = 0.0
    due_at: float | None = None  # Unix time of the next touched contact's turn.
    due_known: bool = False  # Whether due_at is up to date.

    def restart(self) -> None:
        """Consider all contacts again: the campaign was rearmed."""
        self.fresh.clear()
        self.exhausting.clear()
        self.read_to, self.due_known = 0, False

    def give_back(self, contact_id: int) -> None:
        """Put back a contact whose request was refused."""
        self.asked.discard(contact_id)
        if contact_id <= self.read_to and contact_id not in self.fresh:
            insort(self.fresh, contact_id)  # In list order, whichever request comes back first.
        self.due_known = False

    def candidates(
        self, campaign: Campaign, index: ContactIndex, now: datetime, wanted: int
    ) -> Iterator[Contact]:
        """Yield at most `wanted` contacts: due retries first, then fresh ones in list order.

        Contacts that could not be placed and have rested come last. Gates may still reject them.
        """
        due: list[Contact] = []
        if not self.due_known or (self.due_at or INFINITY) <= now.timestamp():
            limit = wanted + len(self.asked) + len(self.exhausting)
            found, self.due_known = index.due(campaign, now, limit), False
            due = [contact for contact in found if not self._offered(contact)]
        for contact in due:
            if wanted > 0 and contact.unplaced is None:
                wanted -= 1
                yield contact
        if not self.due_known:
            self.due_at, self.due_known = index.next_due(campaign), True
        while wanted > 0 and (contact_id := self._next_fresh(campaign, index)) is not None:
            contact = index.get(campaign, contact_id)
            if not self._offered(contact) and _untouched(contact):
                wanted -= 1
                yield contact
        for contact in due:
            if wanted > 0 and contact.unplaced is not None and not self._offered(contact):
                wanted -= 1
                yield contact

    def _offered(self, contact: Contact) -> bool:
        """Say whether its request, or its end, has no ruling yet."""
        return contact.contact_id in self.asked or contact.contact_id in self.exhausting

    def turn(self) -> Turn:
        """Return that nobody is due now: `candidates` yielded fewer than were wanted."""
        due_at = None if self.due_at is None else datetime.fromtimestamp(self.due_at, UTC)
        return Turn((), due_at)

    def _next_fresh(self, campaign: Campaign, index: ContactIndex) -> int | None:
        if (
            campaign.epoch == 0
        ):  # In later epochs, some up to there may have been attempted in another run.
            while self.fresh and self.fresh[0] <= campaign.replaced_through:
                self.fresh.popleft()  # Gone; or attempted before, and then `due` knows it.
        while not self.fresh and self.read_to < campaign.contacts_end:
            ids, self.read_to = index.fresh(campaign, self.read_to, FRESH_AT_ONCE)
            self.fresh.extend(ids)
        return self.fresh.popleft() if self.fresh else None


def _untouched(contact: Contact) -> bool:
    """Say whether a contact is still as it was when it was read ahead: otherwise `due` knows it."""
    return contact.status is ContactStatus.PENDING and contact.due_at is None
