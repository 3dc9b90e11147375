"""Forgets the contacts of campaigns that ended longer ago than an operator keeps them (ADR-0041).

All instances do this. The fact is decided at the campaign's version, so it is recorded once.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Protocol

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignErased
from campaigns.log.reader import Reader
from campaigns.log.writer import Handled, Origin, Writer
from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.records.topics import campaign_partition
from campaigns.stores.contacts import Contacts
from command_api.commands.forget_campaign import FORGET_CAMPAIGN, ForgetCampaign, over_since

CHECK_S = 60.0  # Between two looks: of days, so little is nothing.
SLICE = 1_000  # Campaigns looked at without a rest: some 0.5 ms.
ACTOR = "retention"

logger = logging.getLogger(__name__)


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
        self._plain: set[int] = set()  # Campaigns of which it was said that they cannot be.

    async def run(self, *, check_s: float = CHECK_S) -> None:
        """Forget, until cancelled, whoever is to be forgotten. Errors are tried again."""
        while True:
            await self.check()
            await asyncio.sleep(check_s)

    async def check(self) -> int:
        """Look once at all campaigns; return of how many this instance recorded the end."""
        done, before = 0, self._service.clock.now() - self._kept
        if self._service.reader.installation.level < CampaignErased.SINCE:
            return done
        for n, campaign in enumerate(list(self._service.campaigns.by_id.values()), 1):
            if campaign.erased_through < campaign.contacts_end:
                since = over_since(campaign)
                if since is not None and since < before:
                    done += await self._forget(campaign)
            if n % SLICE == 0:
                await asyncio.sleep(0)
        return done

    async def _forget(self, campaign: Campaign) -> bool:
        service, campaign_id = self._service, campaign.campaign_id
        if service.contacts.has_plain(campaign_id, after=campaign.erased_through):
            if campaign_id not in self._plain:
                self._plain.add(campaign_id)
                logger.warning("campaign %d has plain contacts: it stays", campaign_id)
            return False
        now = service.clock.now()
        command = ForgetCampaign(
            campaign_id,
            campaign.contacts_end,
            service.contacts.key_ids(campaign_id, after=campaign.erased_through),
            now - self._kept,
            now,
        )
        partition = campaign_partition(campaign_id, service.partitions)
        origin = Origin(ACTOR, f"retention of campaign {campaign_id}")
        try:
            answer = await service.writer.handle(
                FORGET_CAMPAIGN, command, origin, partition=partition, key=campaign_id
            )
        except OperatingError as exc:  # Tried again at the next look.
            logger.warning("campaign %d is not forgotten yet: %s", campaign_id, exc)
            return False
        if not isinstance(answer, Handled):
            return False
        logger.warning("campaign %d is over for long: its contacts are forgotten", campaign_id)
        return True
