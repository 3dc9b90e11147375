"""Records who is forgotten, reads it back, and deletes the keys of those that count."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
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

    async def erase(self, found: Found, whom: Whom) -> None:
        """Erase all. Raises: LogUnavailableError, OutcomeUnknownError, TooContendedError."""
        with progress("contacts erased", found.people) as advance:
            for _ in range(TRIES_MAX):
                if not found.people:
                    return
                by_partition = defaultdict[int, list[Erased]](list)
                for fact in self._facts(found):
                    by_partition[self._number(fact.campaign_id)].append(fact)
                for number, facts in by_partition.items():
                    one = self._partitions[number]
                    for first in range(0, len(facts), AT_ONCE_MAX):
                        some = facts[first : first + AT_ONCE_MAX]
                        advance(await self._record(one, some))
                found = still_known(self._partitions, whom)
        if found.people:
            raise TooContendedError("some are asked for calls at each moment: try again")

    def _number(self, campaign_id: int) -> int:
        return campaign_partition(campaign_id, self._log.partitions(CAMPAIGN_RECORDS)).number

    def _facts(self, found: Found) -> Iterable[Erased]:
        now = self._clock.now()
        for one in found.contacts:
            assert one.place is not None, "plain ones are refused"
            yield contact_erased(one.campaign_id, one.contact_id, one.place, now)
        if found.campaign is not None:
            campaign_id, through, key_ids = found.campaign
            yield campaign_erased(campaign_id, through, key_ids, now)

    async def _record(self, one: ErasablePartition, facts: Sequence[Erased]) -> int:
        """Append facts, each by itself; delete the keys of those that count. Returns their number.

        Each rests on its own stream: a call that is asked for at the same moment comes before or
        after it, and never between fact and deletion.
        """
        refusals: list[LogUnavailableError] = []
        fact_of = dict[str, Erased]()
        for fact in facts:
            record_id = uuid4().hex
            record = Record(
                record_id, self._clock.now(), "dialgate erase", "operator", record_id, None,
                one.ruling.ledger.condition([fact.stream]), (fact,),
                level=self._installation.level,
            )  # fmt: skip
            fact_of[record_id] = fact
            one.awaited.add(record_id)
            await self._log.append(one.partition, record, fact.campaign_id, refusals.append)
        await self._read_back(one, refusals)
        accepted = [fact for record_id, fact in fact_of.items() if one.ruled.pop(record_id)]
        erased = ErasedRows()
        for fact in accepted:
            erased.fold(fact)
        await forget_again(self._keys, erased)
        return len(accepted)

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
