"""Whether a dialer can read the contacts of its campaigns: their lists' keys are there.

It is looked at before the first request, and again while a key is missing: a campaign whose
contacts cannot be read asks for no call that nobody could place. Source: ADR-0041.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.gates.gates import KEY_AGAIN
from campaigns.personal.key_presence import missing_key
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.process.observability import limit_repetitions
from campaigns.stores.contacts import Contacts, EncryptedList

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class KeyPresence:
    """Whether there is one key at least by which somebody who is not erased can be read.

    A single one that is missing shuts its campaign, and others are called. While one is found, a
    look costs one question, and while none is, it is searched for where something changed alone.
    """

    def __init__(self, contacts: Contacts, keys: ListKeys | None, campaigns: Campaigns) -> None:
        self._contacts, self._keys, self._campaigns = contacts, keys, campaigns
        self._found: EncryptedList | None = None  # Its key was there.
        self._lost: EncryptedList | None = None  # Its key was not, nor any other.
        self._as_of: object = None  # What was so when none was found.
        self._nobodys = set[str]()  # Keys of lists whose contacts are all erased: for ever.

    def troubles(self) -> Sequence[str]:
        """Return that not one is there, while contacts that nobody erased need some."""
        try:
            lost = self._keys is not None and self._none_left(self._keys)
        except KeyUnavailableError:
            return ()  # The log's own troubles name it.
        if not lost:
            return ()
        return (
            "the keys of contacts are gone: expected those of the lists in the log, found none:"
            " no contact of theirs is read or called until they are restored",
        )

    def _none_left(self, keys: ListKeys) -> bool:
        if (of := self._found) and self._needed(of) and self._there(keys, of):
            return False
        as_of = (keys.store.sealers(), self._contacts.counted)
        if (of := self._lost) and self._as_of == as_of and self._needed(of):
            return True
        self._found = self._lost = None
        for one in self._contacts.encrypted_lists():
            if not self._needed(one):
                continue
            if self._there(keys, one):
                self._found = one
                return False
            self._lost = self._lost or one
        self._as_of = as_of
        return self._lost is not None

    def _there(self, keys: ListKeys, one: EncryptedList) -> bool:
        return keys.store.find(one.key_id) is not None

    def _needed(self, one: EncryptedList) -> bool:
        """Say whether somebody of a list is not erased."""
        campaign = self._campaigns.get(one.campaign_id)
        if campaign is None or one.last <= campaign.erased_through or one.key_id in self._nobodys:
            return False
        if self._contacts.all_erased(one):
            self._nobodys.add(one.key_id)
            return False
        return True


class _Finding(NamedTuple):
    of: tuple[int, int]  # What the campaign was then: its last contact, and the last erased one.
    why: str | None
    at: float  # CLOCK_BOOTTIME.


class Readability:
    """What was found of each campaign, since this dialer began."""

    def __init__(
        self, contacts: Contacts, keys: ListKeys | None, boottime: Callable[[], float]
    ) -> None:
        self._contacts, self._keys, self._boottime = contacts, keys, boottime
        self._found: dict[int, _Finding] = {}

    def unread(self, campaign: Campaign) -> str | None:
        """Return why a campaign's contacts cannot be read. None: they can, as far as is known."""
        found, boot = self._found.get(campaign.campaign_id), self._boottime()
        of = (campaign.contacts_end, campaign.erased_through)
        if (
            found is not None
            and found.of == of
            and (found.why is None or boot < found.at + KEY_AGAIN.total_seconds())
        ):
            return found.why
        # Lists that could be read are not looked at again: each import would cost all before it.
        known = found.of[0] if found is not None and found.why is None else 0
        return self._note(campaign, self._missing(campaign, max(known, campaign.erased_through)))

    def lost(self, campaign: Campaign, why: str) -> None:
        """Note that a contact could not be read."""
        self._note(campaign, why)

    def _note(self, campaign: Campaign, why: str | None) -> str | None:
        if why:
            logger.error("campaign %s: %s", campaign.campaign_id, why)
        of = (campaign.contacts_end, campaign.erased_through)
        self._found[campaign.campaign_id] = _Finding(of, why, self._boottime())
        return why

    def _missing(self, campaign: Campaign, after: int) -> str | None:
        """Return which key of the lists with contacts behind `after` is missing."""
        return missing_key(self._keys, self._contacts.key_ids(campaign.campaign_id, after=after))
