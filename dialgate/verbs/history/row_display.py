"""The encrypted rows of a log's records, for verbs that were asked to --reveal them."""

from collections.abc import Sequence
from contextlib import suppress

from campaigns.audit.rulings import VERB_BATCH_MAX, PartitionRuling, Ruled, ruled_batches
from campaigns.domain.facts import ContactsEncrypted
from campaigns.personal.forgotten_rows import ErasedRows
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.personal.open_rows import RevealedRows
from campaigns.process.errors import ContractError, LogUnavailableError
from campaigns.records.topics import Partition
from dialgate.pictures.record_lines import known_facts
from dialgate.verbs.verb import Source, keyless


class RowDisplay:
    """Opens rows with the keys at hand. Who is erased is looked up before rows are shown."""

    def __init__(self, read: Source, *, reveal: bool) -> None:
        """Nothing is read before there are rows to show. `reveal`: they are to be shown."""
        self._read, self._looked = read, set[Partition]()
        self.rows = RevealedRows(read.log.list_keys, keyless(read) or "") if reveal else None

    async def look_ahead(self, batch: Sequence[Ruled], chosen: Sequence[Ruled]) -> None:
        """Know who of the chosen records of a batch is erased.

        The first time that there are rows among them, their partition is read to its end, or to a
        record that this build cannot read: whoever reads the records comes to it in its place.

        Raises:
            LogUnavailableError: the log does not answer.

        """
        if self.rows is None:
            return
        _learn(batch, self.rows.erased)
        chunks = [
            fact
            for ruled in chosen
            for fact in known_facts(ruled)
            if isinstance(fact, ContactsEncrypted)
        ]
        if not chunks or (keys := self.rows.keys) is None:
            return
        with suppress(LogUnavailableError, KeyUnavailableError):  # Each row says so.
            if any(keys.store.find(one.key_id) is None for one in chunks):
                await keys.store.refresh()  # Lists that came since.
        if (partition := batch[0].recorded.partition) not in self._looked:
            self._looked.add(partition)
            skipped = self._read.installation.skipped.get(partition, {})
            ruling = PartitionRuling(skipped, keeps_digest=False)
            every = ruled_batches(self._read.log, partition, ruling, batch_max=VERB_BATCH_MAX)
            with suppress(ContractError):  # What comes before it is shown first.
                async for some in every:
                    _learn(some, self.rows.erased)


def _learn(batch: Sequence[Ruled], erased: ErasedRows) -> None:
    for ruled in batch:
        if ruled.accepted:
            for fact in ruled.recorded.facts:
                erased.fold(fact)
