"""An export as a log to look at: checked whole when it is opened, then read at any position."""

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from campaigns.audit.transfer.export_format import (
    RECORD_START,
    CampaignSummary,
    End,
    Manifest,
    PartitionSummary,
    Summary,
    parsed,
    read_manifest,
    read_record,
    refuse,
)
from campaigns.personal.list_keys import ListKeys
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition, counts, partition_of

_EVERY = 256  # Records between two places in the index: 16 bytes for each such stretch.
_LINE_BYTES_MAX = 8 * 1024 * 1024  # A record is at most 256 KiB; a foreign one, what Kafka takes.


@dataclass(slots=True)
class _Index:
    """Where a partition's records stand in the file: every 256th, and where the last read ended."""

    positions: "array[int]" = field(default_factory=lambda: array("Q"))
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))
    records: int = 0
    last: int = 0  # The last record's position.
    after: int = 0  # What the last read ended with, …
    offset: int = 0  # … and the offset behind it.

    def add(self, position: int, offset: int) -> None:
        if self.records % _EVERY == 0:
            self.positions.append(position)
            self.offsets.append(offset)
        self.records, self.last = self.records + 1, position

    def offset_before(self, after: int) -> int | None:
        """Return an offset at or before the next record after `after`; None: there is none."""
        if after >= self.last:
            return None
        if self.offset and after == self.after:
            return self.offset
        place = bisect_right(self.positions, after + 1) - 1
        return self.offsets[max(0, place)]


class ExportLog:
    """The records of an export. Implements the ReadableLog port."""

    def __init__(self, path: Path) -> None:
        """Store the path; `open` reads the file."""
        self.path = path
        self._file: BinaryIO | None = None
        self._reading = Lock()  # Readers in several threads share the file's position.
        self._manifest: Manifest | None = None
        self._index: dict[Partition, _Index] = {}
        self.campaigns: dict[int, CampaignSummary] = {}
        self.summary: Mapping[str, PartitionSummary] = {}

    @property
    def manifest(self) -> Manifest:
        """Return the first line. Known once it is open."""
        assert self._manifest is not None, "open() comes first"
        return self._manifest

    @property
    def list_keys(self) -> ListKeys | None:
        """Return None: an export has no keys."""
        return None

    @property
    def id(self) -> str:
        """Return the id of the log that was exported."""
        return self.manifest.log

    def partitions(self, topic: str) -> int:
        """Return how many partitions the log's topic had."""
        return counts(self.manifest.campaign_partitions)[topic]

    async def open(self) -> None:
        """Read the whole file once, check it against its last line, and index it.

        Raises:
            ExportUnreadableError: it is no export, is truncated, was altered, or is of a later
                format or level.
            OSError: it cannot be read.

        """
        self._file = self.path.open("rb")
        await asyncio.to_thread(self._check, self._file)

    async def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` records after `after`; fewer only at the end.

        Positions have gaps where the export is of one campaign.
        """
        return await asyncio.to_thread(self._locked, partition, after, limit)

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Return the last positions: those of the log when it was exported."""
        return {partition: self.manifest.ends.get(partition, 0) for partition in partitions}

    def _locked(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        with self._reading:
            return self._read(partition, after, limit)

    def _read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        assert self._file is not None, "open() comes first"
        index = self._index.get(partition)
        offset = index.offset_before(after) if index else None
        if index is None or offset is None:
            return ()
        self._file.seek(offset)
        found, count = list[Recorded](), self.partitions(partition.topic)
        while len(found) < limit and (after < index.last):
            text = self._file.readline()
            record = read_record(text, self.path, 0)
            if record.position > after:
                after = record.position
                found.append(Recorded(partition, after, record.raw, count))
        index.after, index.offset = after, self._file.tell()
        return found

    def _check(self, file: BinaryIO) -> None:
        """Read the file once. Errors name the line."""
        lines = enumerate(_lines(file), 1)
        _, first = next(lines, (1, b""))
        self._manifest = read_manifest(first, self.path)
        hashed, offset, number = sha256(first), len(first), 1
        current, index = b"", _Index()
        for number, text in lines:
            if text.startswith(RECORD_START):
                name, position, _ = read_record(text, self.path, number)
                if (found := name.encode()) != current:
                    current, index = found, self._indexed(name, number)
                if position <= index.last:
                    expected = f"a position after {index.last} in line {number}"
                    refuse(self.path, expected, f"{position}: it was altered")
                index.add(position, offset)
            elif text.startswith(b'{"campaign":'):
                one = parsed(text, CampaignSummary, self.path, number)
                self.campaigns[one.campaign] = one
            elif text.startswith(b'{"summary":'):
                self.summary = parsed(text, Summary, self.path, number).summary
            elif text.startswith(b'{"end":'):
                end = parsed(text, End, self.path, number)
                self._end(end, hashed.hexdigest(), next(lines, None))
                return
            elif not text.endswith(b"\n"):
                break
            else:
                refuse(self.path, f"a record in line {number}", "something else: it was altered")
            hashed.update(text)
            offset += len(text)
        found_end = f"the file's end after line {number}: it is truncated"
        refuse(self.path, "the closing line of an export", found_end)

    def _indexed(self, name: str, number: int) -> _Index:
        partition = partition_of(name)
        if name not in self.manifest.partitions or partition in self._index:
            expected = f"another partition of the manifest in line {number}"
            refuse(self.path, expected, f"{name}: it was altered")
        return self._index.setdefault(partition, _Index())

    def _end(self, end: End, found: str, more: object) -> None:
        if end.end != f"sha256:{found}":
            refuse(self.path, f"the bytes of {end.end}", f"sha256:{found}: it was altered")
        if more is not None:
            refuse(self.path, "nothing after the closing line", "more: it was altered")
        if self.summary.keys() != self.manifest.partitions.keys():
            refuse(self.path, "a summary of each partition", "another: it was altered")
        for partition, index in self._index.items():
            if (count := self.summary[str(partition)].records) != index.records:
                refuse(self.path, f"{count} records of {partition}", f"{index.records}")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while text := file.readline(_LINE_BYTES_MAX):
        yield text
