"""Creates: free ids for many at once, a stream for each Idempotency-Key, first contacts."""

import itertools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.codec import Codec
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CreateKeyed, ListRows
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import Stream, import_stream
from campaigns.log.reader import Ruling
from campaigns.log.writer import Origin, Tries, Writer, unreadable
from campaigns.process.errors import TooContendedError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partitions
from command_api.commands.create import (
    CreateCampaign,
    decide,
    free_id,
    key_digest,
    keyed_stream,
    partition_number,
)
from command_api.idempotency import KEY_REUSED
from command_api.imports.list_rows import row_writer
from command_api.imports.rows import chunks, few_chunks, fits
from command_api.open_lists import OpenLists
from command_api.slices import in_slices

_KEYED = Codec(CreateKeyed)
_TABLE = "create table if not exists creates (stream text primary key, fact text) without rowid"


@dataclass
class _Brought:
    """The list of one create whose chunks stand in the log, and which does not count yet."""

    import_id: str | None = None
    chunks: int = 0

    @property
    def stream(self) -> Stream:
        """Return the list's own stream."""
        assert self.import_id is not None, "there is one"
        return import_stream(self.import_id)


@dataclass
class Creator:
    """The creates of one instance."""

    writer: Writer[Campaigns]
    partitions: int
    db: sqlite3.Connection  # The store's: folded rows are written in its transaction.
    lists: OpenLists
    creates: dict[Stream, CreateKeyed] = field(default_factory=dict)  # Folded, by stream.
    _in_flight: dict[int, list[object]] = field(default_factory=dict)  # By partition, in order.
    _all_read: bool = False  # Up to an end that was read after the start, in every partition.
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.db.execute(_TABLE)

    def restore(self) -> None:
        """Restore what the store holds.

        Raises:
            StoreUnreadableError: the key of a create cannot be read.

        """
        for stream, stored in self.db.execute("select stream, fact from creates"):
            self.creates[stream] = _KEYED.load(stored, stream)

    def fold(self, fact: CreateKeyed) -> None:
        """Fold the Idempotency-Key of a create."""
        self.creates[fact.stream] = fact
        kept = "insert or replace into creates values (?, ?)"
        self.db.execute(kept, (fact.stream, fact.as_json().decode()))

    async def create(
        self, command: CreateCampaign, rows: Sequence[Row], origin: Origin
    ) -> tuple[Campaign, Ruling | None] | Rejected:
        """Create a campaign; return it with its ruling (None: an earlier request created it).

        Raises:
            TooContendedError: it lost against other instances for `tries_s`.
            OutcomeUnknownError: it was not read back in time; it may still take effect.
            LogUnavailableError, NotFreshError: nothing was recorded.

        """
        keyed, number = None, next(self._turn) % self.partitions
        if origin.idempotency is not None:
            keyed = (key_digest(origin.idempotency.key), origin.idempotency.digest)
            number = partition_number(keyed[0], self.partitions)
            await self._read_all()
        partition = Partition(CAMPAIGN_RECORDS, number)
        me, ahead = object(), self._in_flight.setdefault(number, [])
        ahead.append(me)
        brought = _Brought()
        try:
            return await self._create(command, rows, origin, partition, keyed, me, brought)
        finally:
            ahead.remove(me)
            if brought.import_id:
                self.lists.give_up(brought.import_id)

    async def _read_all(self) -> None:
        """Wait, once, until all that the log held at the start is folded.

        The key of a create stands in the partition that it chooses, where two instances refuse one
        another; in a log that was imported with other partitions it may stand in any (ADR-0029).
        """
        if not self._all_read:
            everything = campaign_partitions(self.partitions)
            await self.writer.reader.catch_up(everything, within_s=self.writer.catch_up_s)
            self._all_read = True

    async def _create(
        self,
        command: CreateCampaign,
        rows: Sequence[Row],
        origin: Origin,
        partition: Partition,
        keyed: tuple[str, str] | None,
        me: object,
        brought: "_Brought",
    ) -> tuple[Campaign, Ruling | None] | Rejected:
        writer, folded = self.writer, self.writer.folded
        added: list[ListRows] = []
        stored = not rows
        tries = Tries(writer.clock, writer.tries_s)
        ledger = writer.reader.ledger(partition)
        while tries.more():
            if keyed and (
                done := self.creates.get(keyed_stream(command.organization_id, keyed[0]))
            ):
                if done.request_digest != keyed[1]:
                    return Rejected(Reason.KEY_REUSED, KEY_REUSED)
                return folded.by_id[done.campaign_id], None
            if not stored:
                import_id = uuid4().hex
                added = await self._bring(import_id, rows, partition, command, origin, brought)
                stored = True
                continue  # Time has passed: look again.
            if brought.import_id and ledger.version(brought.stream) != brought.chunks:
                stored = False  # Somebody took it for dead: this list can never count.
                tries.refused()
                continue
            campaign_id = free_id(
                folded.highest_by_partition.get(partition.number, 0),
                self._in_flight[partition.number].index(me) + 1,
                partition.number,
                self.partitions,
            )
            facts = decide(
                command,
                campaign_id,
                keyed=keyed,
                import_id=added[0].import_id if added else brought.import_id,
                rows=len(rows),
                chunks=added,
                closed=self.lists.closed(brought.import_id, writer.clock.now()),
            )
            if no := unreadable(facts, writer.reader.installation.level):
                return no
            streams = {fact.stream for fact in facts}
            if brought.import_id:
                streams.add(brought.stream)  # Only as it was left, at any level.
            record = writer.record(facts, ledger.condition(streams), origin)
            ruling = await writer.append(partition, record, campaign_id)
            if ruling.accepted:
                brought.import_id = None
                return folded.by_id[campaign_id], ruling
            tries.refused()
        raise TooContendedError(f"{partition}: refused for {writer.tries_s} s")

    async def _bring(
        self,
        import_id: str,
        rows: Sequence[Row],
        partition: Partition,
        command: CreateCampaign,
        origin: Origin,
        brought: "_Brought",
    ) -> list[ListRows]:
        """Return the list's chunks when they fit into the record; else append them, and return [].

        What is appended and never named by a campaign counts for nothing, and is given up.
        """
        reader = self.writer.reader
        rows_of = row_writer(reader.log, reader.installation.level, import_id)
        few = await in_slices(few_chunks(rows))
        if few is not None:
            added = list(await rows_of.facts(few))
            whole = decide(
                command, 1, keyed=None, import_id=import_id, rows=len(rows), chunks=added
            )
            if fits(whole):
                return added
        without_key = Origin(origin.actor, origin.correlation_id)
        brought.import_id, brought.chunks = import_id, 0
        rows_of.rows = 0  # From the beginning: rows have their keys by their numbers.
        for chunk in chunks(rows):
            fact = await rows_of.fact(chunk)
            condition = {fact.stream: brought.chunks}
            record = self.writer.record((fact,), condition, without_key)
            ruling = await self.writer.append(partition, record, partition.number)
            if not ruling.accepted:  # Somebody took it for dead: it can never count.
                break
            brought.chunks += 1
        return []
