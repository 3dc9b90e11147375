"""One dialer's time as that of the only home: begun at the carrier, ended if another took over."""

import asyncio
import logging

from campaigns.domain.facts import HomeChosen
from campaigns.log.installation_log import Author, decided
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.clock import Clock
from campaigns.process.identifiers import random_id
from campaigns.records.home import retire
from campaigns.records.installation import Installation
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partitions
from dialer.assignment import Assignment
from dialer.calls.inputs import Working
from dialer.carrier.home_keeper import DialingHome, HomeKeeper
from dialer.carrier.port import Carrier
from dialer.reactions import Reactions

logger = logging.getLogger(__name__)


class Tenure:
    """Opens the carrier for one home of the log, and records when another has replaced it."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        reader: Reader,
        carrier: Carrier,
        source: str,
        reactions: Reactions,
        assignment: Assignment,
    ) -> None:
        self._log, self._clock, self._reader = log, clock, reader
        self._carrier, self._source = carrier, source
        self._reactions, self._assignment = reactions, assignment
        self.alone = True  # No other dialer works the log.
        self._began_ns, self._records = 0, 0
        self._ends: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def open(self) -> None:
        """Open the carrier, and say for which home its orders are; a copy opens none.

        Raises:
            CarrierUnavailableError: the carrier cannot be opened.
            LogUnavailableError: the log does not report its end.

        """
        self._assignment.hold(self._reader.home.read_only is not None)
        if self._reader.home.read_only is None:
            await self._begin()

    async def reside(self) -> None:
        """Work while the log is at home here. A copy opens no carrier, and works no partition."""
        home = self._reader.home.read_only is None
        while True:
            await self._reader.home.moved()
            while home is not (home := self._reader.home.read_only is None):
                if home:  # It was adopted. Opening takes a while, and it may be retired meanwhile.
                    self._reactions.superseded = None
                    await self._begin()
                else:
                    self._reactions.take(Working(frozenset()))
                self._assignment.hold(not home or self._reactions.superseded is not None)

    async def _begin(self) -> None:
        await self._carrier.open(self._reactions.reported)
        if isinstance(self._carrier, HomeKeeper) and self._reader.installation.home is not None:
            ends = await self._log.ends(campaign_partitions(self._log.partitions(CAMPAIGN_RECORDS)))
            self._records = sum(ends.values())  # More than is folded, after a kill.
            self._began_ns = round(self._clock.now().timestamp() * 1e6) * 1000 if self.alone else 0
            await self._carrier.announce(self._home, self._refused)

    def _home(self) -> DialingHome:
        """Return for which home calls are placed now."""
        home = self._reader.installation.home
        assert home is not None, "announced only with a home"
        folded = sum(
            position
            for partition, position in self._reader.positions.items()
            if partition.topic == CAMPAIGN_RECORDS
        )
        records = max(self._records, folded)
        return DialingHome(home.installation, home.generation, home.claim, self._began_ns, records)

    def _refused(self, why: str, generation: int) -> None:
        home = self._reader.installation.home
        if self._ends.empty() and home is not None and generation >= home.generation:
            logger.warning("this dialer places no more calls: %s", why)
            self._reactions.superseded = why
            self._assignment.hold(True)
            self._reactions.take(Working(frozenset()))
            self._ends.put_nowait((why, generation))

    async def end(self) -> None:
        """Record, whenever another home has taken over, that the log is at home nowhere."""
        while True:
            why, generation = await self._ends.get()

            def leave(
                now: Installation, why: str = why, generation: int = generation
            ) -> HomeChosen | None:
                at = self._clock.now()
                return retire(now, self._log.place, why, at, random_id(), generation)

            await decided(self._log, leave, Author(self._source, "dialer"), self._clock)
