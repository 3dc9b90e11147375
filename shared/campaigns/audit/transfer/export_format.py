"""The lines of an export: what each says, and how a record's bytes stand in it. Pure.

An export is JSON Lines: a manifest; a line for each record, partition after partition; a line for
each campaign's digest; a summary; and a last line with the SHA-256 of all bytes before it, so that
one file is whole or is not. A record that is JSON on one line stands in its line byte for byte;
other bytes stand there as base64.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec
import orjson
from msgspec import Struct

from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.process.errors import ExportUnreadableError
from campaigns.records.json_reader import beyond
from campaigns.records.topics import Partition, partition_of

FORMAT = 1
T = TypeVar("T", bound=Struct)
RECORD_START = b'{"partition":"'
_RECORD = re.compile(
    rb'\{"partition":"([a-z.]+/[0-9]+)","position":([1-9][0-9]*),"(record|bytes)":(.*)\}\n',
    re.DOTALL,
)


class Manifest(Struct, frozen=True):
    """The first line of an export: which log it is of, and which part of it."""

    format: int = msgspec.field(name="dialgate_export")
    log: str = ""  # The log's own id.
    made_at: str = ""
    made_by: str = ""
    level: int = 1  # The level of the installation.
    campaign: int | None = None  # Only this campaign's accepted records. None: every record.
    campaign_partitions: int = 1  # Of the log's topic campaign.records.
    partitions: Mapping[str, int] = msgspec.field(
        default_factory=dict
    )  # The last position of each.

    @property
    def ends(self) -> Mapping[Partition, int]:
        """Return the last position of each partition."""
        return {partition_of(name): end for name, end in self.partitions.items()}


class PartitionSummary(Struct, frozen=True):
    """What the rule made of one partition's records, and their digest (ADR-0016)."""

    records: int
    accepted: int
    refused: int
    foreign: int
    skipped: int
    digest: str


class CampaignSummary(Struct, frozen=True):
    """The digest of one campaign's accepted records: the same in any number of partitions."""

    campaign: int
    records: int
    digest: str


class Summary(Struct, frozen=True):
    """The line before the last."""

    summary: Mapping[str, PartitionSummary]


class End(Struct, frozen=True):
    """The last line."""

    end: str  # "sha256:…" of all bytes before this line.


class RecordLine(NamedTuple):
    """One record of an export."""

    partition: str
    position: int
    raw: bytes


def line(shape: Struct) -> bytes:
    """Return a line that holds no record."""
    return msgspec.json.encode(shape) + b"\n"


def line_start(partition: Partition) -> bytes:
    """Return how the lines of a partition's records begin, up to the position."""
    return b'{"partition":"%b","position":' % str(partition).encode()


def record_line(start: bytes, position: int, raw: bytes, *, readable: bool) -> bytes:
    """Return a record's line. `readable`: a reader has read it as JSON."""
    if readable and b"\n" not in raw:
        return b'%b%d,"record":%b}\n' % (start, position, raw)
    return b'%b%d,"bytes":"%b"}\n' % (start, position, b64encode(raw))


def read_record(text: bytes, path: object, number: int) -> RecordLine:
    """Return the record of a line; its bytes are exactly those of the log.

    Raises:
        ExportUnreadableError: it is no such line.

    """
    if not (found := _RECORD.fullmatch(text)):
        refuse(path, f"a record in line {number}", "something else: it was altered")
    name, position, kind, raw = found.groups()
    if kind == b"bytes":
        try:
            raw = b64decode(raw[1:-1], validate=True)
        except ValueError:
            refuse(path, f"base64 in line {number}", "something else: it was altered")
    return RecordLine(name.decode(), int(position), raw)


def read_manifest(text: bytes, path: object) -> Manifest:
    """Return the manifest.

    Raises:
        ExportUnreadableError: it is none, of a later format, or of a later level.

    """
    try:
        found: Any = orjson.loads(text)  # Any: bytes of unknown origin.
        given = found["dialgate_export"]
    except (ValueError, TypeError, KeyError):
        refuse(path, "an export of Dialgate", "another kind of file")
    if given != FORMAT:
        refuse(path, f"an export of format {FORMAT}", f"format {given}: a later version wrote it")
    manifest = parsed(text, Manifest, path, 1)
    if manifest.level > LEVEL_NEWEST:
        raise ExportUnreadableError(f"{path}: {beyond(manifest.level)}")
    return manifest


def parsed(text: bytes, kind: type[T], path: object, number: int) -> T:
    """Return a line that holds no record.

    Raises:
        ExportUnreadableError: it is not as agreed.

    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise ExportUnreadableError(f"{path}: line {number} is not as agreed: {exc}") from exc


def refuse(path: object, expected: str, found: str) -> NoReturn:
    """Refuse a file, in one sentence.

    Raises:
        ExportUnreadableError: always.

    """
    raise ExportUnreadableError(f"{path}: expected {expected}, found {found}")
