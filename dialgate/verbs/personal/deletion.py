"""Records who is forgotten, reads it back, and deletes the keys of those that count."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

from campaigns.domain.facts import CampaignErased, ContactErased
from campaigns.log.port import EventLog
from campaigns.personal.erasure import campaign_erased, contact_erased
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.personal.list_keys import ListKeys
from campaigns.process.clock import SystemClock
from campaigns.process.errors import (
    LogUnavailableError,
    OutcomeUnknownError,
    TooContendedError,
)
from campaigns.records.installation import Installation
from campaigns.records.record import Record
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from dialgate.verbs.personal.erasable import ErasablePartition
from dialgate.verbs.personal.whom import Found, Partitions, Whom, still_known
from dialgate.verbs.progress import progress

RULING_S = 10.0  # How long to wait until a fact is read back.
LOOK_S = 0.02
TRIES_MAX = 20  # A contact may be asked for a call at the same moment.
AT_ONCE_MAX = 500  # Facts that are appended before they are read back.
Erased = ContactErased | CampaignErased


class Offered(NamedTuple):
    """A fact that was appended, and how many contacts it makes unreadable."""

    fact: Erased
    people: int


@dataclass
class Erasure:
    """What became of an erasure so far."""

    people: int = 0  # Contacts that the log says are forgotten now, by us.
    contacts: list[str] = field(default_factory=list)  # Those that were recorded one by one.
    through: int | None = None  # With a campaign: its last contact that is forgotten.
    begun: bool = False  # Something is recorded, or may be.


class Deletion:
    """Appends facts, reads them back, and deletes the keys of those that count."""

    def __init__(
        self,
        log: EventLog,
        installation: Installation,
        keys: ListKeys,
        partitions: Partitions,
    ) -> None:
        self._log, self._installation, self._keys = log, installation, keys
        self._partitions, self._clock = partitions, SystemClock()
        self.done, self._recorded = Erasure(), ErasedRows()

    async def erase(self, found: Found, whom: Whom) -> None:
        """Erase all that was found; `done` says how far it came. Of a campaign, some lists at once.

        First all facts, since from them on nobody is called, then all keys.

        Raises:
            MisusedError: what was found since is plain, or cannot be read.
            KeyUnavailableError, LogUnavailableError, OutcomeUnknownError, TooContendedError: see
                `done`.

        """
        if found.campaign is not None:  # Nobody who is added meanwhile was meant.
            whom = whom._replace(until=found.campaign.through)
        try:
            await self._record_all(found, whom)
        finally:  # Also of what was recorded before something failed.
            await forget_again(self._keys, self._recorded)

    async def _record_all(self, found: Found, whom: Whom) -> None:
        tries = 0
        with progress("contacts erased", found.people) as advance:
            while found.people:
                before, by_partition = self.done.people, defaultdict[int, list[Offered]](list)
                for one in self._offers(found):
                    by_partition[self._number(one.fact.campaign_id)].append(one)
                for number, offers in by_partition.items():
                    for first in range(0, len(offers), AT_ONCE_MAX):
                        some = offers[first : first + AT_ONCE_MAX]
                        advance(await self._record(self._partitions[number], some))
                tries = 0 if self.done.people > before else tries + 1
                found = still_known(self._partitions, whom)
                if found.people and tries == TRIES_MAX:
                    raise TooContendedError("some are asked for calls at each moment: try again")

    async def forget_again(self) -> None:
        """Delete what the log says is forgotten and is still there: an earlier verb was killed.

        Raises:
            KeyUnavailableError, LogUnavailableError: not all is deleted.

        """
        for one in self._partitions.values():
            await forget_again(self._keys, one.forgotten)

    def _number(self, campaign_id: int) -> int:
        return campaign_partition(campaign_id, self._log.partitions(CAMPAIGN_RECORDS)).number

    def _offers(self, found: Found) -> Iterable[Offered]:
        now = self._clock.now()
        for one in found.contacts:
            assert one.place is not None, "plain ones are refused"
            yield Offered(contact_erased(one.campaign_id, one.contact_id, one.place, now), 1)
        if (of := found.campaign) is not None:
            yield Offered(campaign_erased(of.campaign_id, of.lists, now), of.people_at_once)

    async def _record(self, one: ErasablePartition, offers: Sequence[Offered]) -> int:
        """Append facts, each by itself, and read back which of them count.

        Returns how many contacts those are. Each fact rests on its own stream: a call that is asked
        for at the same moment comes before or after it, and never between fact and deletion.
        """
        refusals: list[LogUnavailableError] = []
        by_record = dict[str, Offered]()
        try:
            for offered in offers:
                record_id = uuid4().hex
                record = Record(
                    record_id, self._clock.now(), "dialgate erase", "operator", record_id, None,
                    one.ruling.ledger.condition([offered.fact.stream]), (offered.fact,),
                    level=self._installation.level,
                )  # fmt: skip
                one.awaited.add(record_id)
                await self._log.append(
                    one.partition, record, offered.fact.campaign_id, refusals.append
                )
                by_record[record_id] = offered
            await self._read_back(one, refusals)
        finally:
            accepted = [of for by, of in by_record.items() if one.ruled.pop(by, False)]
            for of in accepted:
                self._note(of)
            self.done.begun |= len(refusals) < len(by_record)
        return sum(of.people for of in accepted)

    def _note(self, of: Offered) -> None:
        self._recorded.fold(of.fact)
        self.done.people += of.people
        if isinstance(of.fact, CampaignErased):
            self.done.through = of.fact.through
        else:
            self.done.contacts.append(f"{of.fact.campaign_id}/{of.fact.contact_id}")

    async def _read_back(
        self, one: ErasablePartition, refusals: Sequence[LogUnavailableError]
    ) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + RULING_S
        while one.awaited:
            if refusals:
                raise refusals[0]
            await one.read(self._log)
            one.awaited -= one.ruled.keys()
            if one.awaited:
                if loop.time() > until:
                    raise OutcomeUnknownError(
                        f"not read back within {RULING_S} s: who is erased may still be recorded;"
                        " call it again"
                    )
                await asyncio.sleep(LOOK_S)
