"""A file of seals: read line by line, and appended to by the next seal."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from campaigns.audit.rulings import partitions_of
from campaigns.audit.seal.seal_check import SealDifference, Walk
from campaigns.audit.seal.seal_format import (
    FORMAT,
    Detail,
    Head,
    SealedPartition,
    Seals,
    detail_of,
    sealed_line,
)
from campaigns.log.port import ReadableLog
from campaigns.process.errors import SealUnreadableError
from campaigns.process.private_files import open_private
from campaigns.records.installation import Installation


def read_seals(path: Path, key: Ed25519PublicKey | None) -> Seals:
    """Return the seals of a file, all of them checked; without a key, not their signatures.

    Raises:
        SealUnreadableError: one was altered, removed, or made with another key; or there is none.
        OSError: the file cannot be read.

    """
    seals = Seals(key)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            seals.add(line, f"{path}, line {number}")
    if seals.last is None:
        raise SealUnreadableError(f"{path}: expected a seal, found an empty file")
    return seals


class Appending(NamedTuple):
    """A file of seals that this process alone appends to."""

    empty: bool
    append: Callable[[bytes], None]  # Durably.


@contextmanager
def appended(path: Path) -> Iterator[Appending]:
    """Open a file of seals to append a line to it; create it if it is missing.

    Half a line, which a process left that was killed while it appended, is removed first.

    Raises:
        SealUnreadableError: another process is appending.
        OSError: it cannot be written; the seals before stay as they are.

    """
    descriptor = _locked(path)
    try:
        found = path.read_bytes()
        end = found.rfind(b"\n") + 1
        if end < len(found):
            os.ftruncate(descriptor, end)

        def append(line: bytes) -> None:
            try:
                written = os.pwrite(descriptor, line, end)
                if written < len(line):
                    raise OSError(f"{path}: only {written} of {len(line)} bytes could be written")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)
                raise

        yield Appending(end == 0, append)
    finally:
        _remove_empty(descriptor, path)
        os.close(descriptor)


def _remove_empty(descriptor: int, path: Path) -> None:
    """Remove a file that we hold and that holds no seal: it would look as if there were some."""
    found = os.fstat(descriptor)
    if S_ISREG(found.st_mode) and not found.st_size:
        with suppress(OSError):  # It may stand where we may only write: it stays.
            path.unlink()


def _locked(path: Path) -> int:
    """Open a file for this process alone, which stands at its path; return the descriptor."""
    while True:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError as exc:
            os.close(descriptor)
            raise SealUnreadableError(f"{path}: another process is sealing into it") from exc
        except FileNotFoundError:
            pass
        os.close(descriptor)  # Another process has removed it, still empty, meanwhile.


@dataclass
class Sealing:
    """One seal over a log as it is now, chained to those before."""

    log: ReadableLog
    installation: Installation
    seals: Seals
    key: Ed25519PrivateKey
    seen: Callable[[int], None] = lambda _: None

    async def seal(self, now: datetime) -> tuple[bytes, Head] | SealDifference:
        """Return the line to append, and what it says; or where the log differs from the last seal.

        Raises:
            ContractError: a record stops every reader.
            LogUnavailableError: the log does not answer.

        """
        ends = await self.log.ends(partitions_of(self.log))
        partitions, detail = dict[str, SealedPartition](), dict[str, Detail]()
        before = self.seals.last.head.partitions if self.seals.last else {}
        for name in before:
            if name not in {str(partition) for partition in ends}:
                return SealDifference(f"{name}@1", "the log has no such partition any more")
        for partition, end in ends.items():
            name = str(partition)
            known = self.seals.known.get(name)
            walk = Walk(self.log, self.installation, partition, known, seen=self.seen)
            end = max(end, _position(before, name))
            if difference := await walk.until(end):
                return difference
            partitions[name] = SealedPartition(
                end, walk.tree.root().hex(), walk.accepted, str(walk.ruling.chain)
            )
            detail[name] = detail_of(known, list(walk.tree.roots()), walk.marks)
        last = self.seals.last
        head = Head(
            format=FORMAT,
            number=last.head.number + 1 if last else 1,
            log=self.log.id,
            made_at=now.isoformat(timespec="microseconds"),
            previous=last.hash if last else None,
            partitions=partitions,
        )
        return sealed_line(head, detail, self.key), head


def _position(before: Mapping[str, SealedPartition], name: str) -> int:
    return before[name].position if name in before else 0
