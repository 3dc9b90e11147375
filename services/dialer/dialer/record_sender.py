"""How the dialer appends: an offer becomes a record, and its ruling, or its failure, an input."""

from collections.abc import Callable

from campaigns.log.port import EventLog
from campaigns.log.reader import Reader, Ruling
from campaigns.process.errors import (
    LogUnavailableError,
    OperatingError,
    OutcomeUnknownError,
    UnreadableRecordError,
)
from campaigns.records.record import Record
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from dialer.calls.effects import Offer
from dialer.calls.inputs import Clocks, Input, Refused, Unreadable
from dialer.offers import Offers

ACTOR = "dialer"


class RecordSender:
    """Appends one dialer's records. `tell` takes inputs, `ruled` each ruling."""

    def __init__(
        self,
        log: EventLog,
        reader: Reader,
        source: str,
        *,
        tell: Callable[[Input], None],
        ruled: Callable[[str, bool], None],
    ) -> None:
        self._log, self._reader, self._source = log, reader, source
        self._tell, self._ruled = tell, ruled
        self.offered = Offers()

    def record(self, offer: Offer, clocks: Clocks) -> Record:
        """Return an offer's record, and expect its ruling."""
        partition = campaign_partition(offer.campaign_id, self._log.partitions(CAMPAIGN_RECORDS))

        def ruled(ruling: Ruling) -> None:
            self.offered.done(offer.record_id)
            self._ruled(offer.record_id, ruling.accepted)

        self._reader.on_ruling[offer.record_id] = ruled
        self.offered.add(offer.record_id, clocks.boot)
        return Record(
            id=offer.record_id,
            time=clocks.now,
            source=self._source,
            actor=ACTOR,
            correlation_id=offer.causation_id or offer.record_id,
            causation_id=offer.causation_id,
            condition=self._reader.ledger(partition).condition(offer.streams),
            facts=offer.facts,
            level=self._reader.installation.level,
        )

    async def send(self, offer: Offer, record: Record) -> None:
        """Append an offer's record."""
        partition = campaign_partition(offer.campaign_id, self._log.partitions(CAMPAIGN_RECORDS))

        def refused(_: OperatingError) -> None:
            self.forget(offer.record_id)
            self._tell(Refused(offer.record_id, taken=False))

        try:
            await self._log.append(partition, record, offer.campaign_id, refused)
        except LogUnavailableError as exc:
            refused(exc)
        except UnreadableRecordError as exc:
            self.forget(offer.record_id)
            self._tell(Unreadable(offer.record_id, exc))
        except OutcomeUnknownError:
            return  # A record that is not read back is offered again (`State.patience`).

    def forget(self, record_id: str) -> None:
        """Stop expecting a record's ruling."""
        self._reader.on_ruling.pop(record_id, None)
        self.offered.done(record_id)
