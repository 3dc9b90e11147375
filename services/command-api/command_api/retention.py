"""Forgets the contacts of campaigns that ended longer ago than an operator keeps them (ADR-0041).

All instances do this. A fact is about a whole campaign, or about the next LISTS_MAX of its lists.
It is decided at the campaign's version, so it is recorded once; whoever comes goes on behind it.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignErased
from campaigns.log.reader import Reader
from campaigns.log.writer import Handled, Origin, Writer
from campaigns.personal.erasure import LISTS_MAX
from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.process.observability import limit_repetitions
from campaigns.records.topics import campaign_partition
from campaigns.stores.contacts import Contacts
from command_api.commands.forget_campaign import FORGET_CAMPAIGN, ForgetCampaign, over_since

CHECK_S = 60.0  # Between two looks: of days, so little is nothing.
NAMED_MAX = 20  # Campaigns in one line of the log.
SLICE = 1_000  # Campaigns looked at without a rest: some 0.5 ms.
ACTOR = "retention"

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class RetainingService(Protocol):
    """What retention needs of the command API."""

    campaigns: Campaigns
    contacts: Contacts
    writer: Writer[Campaigns]
    reader: Reader
    clock: Clock

    @property
    def partitions(self) -> int:
        """Return how many partitions campaigns have."""
        ...


class Retention:
    """The end of what an installation keeps about people."""

    def __init__(self, service: RetainingService, days: int) -> None:
        """Forget after so many days."""
        self._service, self._kept = service, timedelta(days=days)
        self._plain = dict[int, int]()  # Campaigns that cannot be, and their last contact then.

    async def run(self, *, check_s: float = CHECK_S) -> None:
        """Forget, until cancelled, whoever is to be forgotten. Errors are tried again."""
        while True:
            await self.check()
            await asyncio.sleep(check_s)

    async def check(self) -> int:
        """Look once at all campaigns; return how many facts this instance recorded."""
        before, done = self._service.clock.now() - self._kept, 0
        reader = self._service.reader
        if reader.installation.level < CampaignErased.SINCE or reader.home.read_only is not None:
            return done
        forgotten, plain = list[int](), list[int]()
        for n, campaign in enumerate(list(self._service.campaigns.by_id.values()), 1):
            if self._is_due(campaign, before) and not self._plain_again(campaign, plain):
                done += await self._forget(campaign, forgotten)
            if n % SLICE == 0:
                await asyncio.sleep(0)
        if forgotten:
            logger.warning("over for long, and their contacts forgotten: %s", _named(forgotten))
        if plain:
            logger.warning("over for long, but with plain contacts, and stay: %s", _named(plain))
        return done

    def _is_due(self, campaign: Campaign, before: datetime) -> bool:
        if campaign.erased_through >= campaign.contacts_end:
            return False
        since = over_since(campaign)
        return since is not None and since < before

    def _plain_again(self, campaign: Campaign, found: list[int]) -> bool:
        """Say whether a campaign has plain contacts: asked once, until it gets more contacts.

        Adds it to `found` when that is new.
        """
        campaign_id, end = campaign.campaign_id, campaign.contacts_end
        if self._plain.get(campaign_id) == end:
            return True
        if not self._service.contacts.has_plain(campaign_id, after=campaign.erased_through):
            return False
        if campaign_id not in self._plain:
            found.append(campaign_id)
        self._plain[campaign_id] = end
        return True

    async def _forget(self, campaign: Campaign, whole: list[int]) -> int:
        """Forget a campaign's contacts, some lists a fact; return how many facts were recorded.

        Ends early where another instance was first, or the campaign goes on: whoever looks next
        goes on. Adds it to `whole` once nobody is left.
        """
        done, last = 0, campaign.contacts_end  # What is added meanwhile is not old.
        while campaign.erased_through < last and await self._record(campaign):
            done += 1
        if done and campaign.erased_through >= last:
            whole.append(campaign.campaign_id)
        return done

    async def _record(self, campaign: Campaign) -> bool:
        service, campaign_id, after = self._service, campaign.campaign_id, campaign.erased_through
        now = service.clock.now()
        lists = service.contacts.erasable_lists(campaign_id, after, LISTS_MAX)
        command = ForgetCampaign(campaign_id, after, lists, now - self._kept, now)
        partition = campaign_partition(campaign_id, service.partitions)
        origin = Origin(ACTOR, f"retention of campaign {campaign_id}")
        try:
            answer = await service.writer.handle(
                FORGET_CAMPAIGN, command, origin, partition=partition, key=campaign_id
            )
        except OperatingError as exc:  # Tried again at the next look.
            logger.warning("campaign %d is not forgotten yet: %s", campaign_id, exc)
            return False
        return isinstance(answer, Handled)


def _named(campaign_ids: Sequence[int]) -> str:
    """Return campaigns for a line of a log."""
    some = ", ".join(map(str, campaign_ids[:NAMED_MAX]))
    more = len(campaign_ids) - NAMED_MAX
    what = "campaign" if len(campaign_ids) == 1 else "campaigns"
    return f"{what} {some}" + (f" and {more} more" if more > 0 else "")
