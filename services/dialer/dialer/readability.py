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
from campaigns.stores.contacts import Contacts

logger = logging.getLogger(__name__)
limit_repetitions(logger)


def keys_gone(keys: ListKeys | None, contacts: Contacts, campaigns: Campaigns) -> Sequence[str]:
    """Return that there is not one key, while contacts that nobody erased need some.

    Keys are made ahead, so a place that was ever used has some. A single one that is missing shuts
    its campaign, and others are called.
    """
    if keys is None:
        return ()
    try:
        if keys.store.sealers():
            return ()
    except KeyUnavailableError:
        return ()  # The log's own troubles name it.
    for campaign_id, last in contacts.encrypted_lists():
        campaign = campaigns.get(campaign_id)
        if campaign is not None and last > campaign.erased_through:
            return (
                "the keys of contacts are gone: expected those of the lists in the log, found none:"
                " no encrypted contact is read or called until they are restored",
            )
    return ()


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
