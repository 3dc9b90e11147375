"""What a seal says, how it is signed, and how seals are chained in one file. Pure.

One line a seal: `{"seal": HEAD, "signature": "…", "detail": {…}}`. The signature is Ed25519 over
the very bytes of HEAD, so that any tool can check it. The detail is what tells where a log first
differs; it needs no signature, since the roots in it lead to the signed root, or are refused.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from campaigns.audit.seal.merkle import BLOCK, MARK_BYTES, root_of
from campaigns.process.errors import SealUnreadableError

FORMAT = 1
_START, _SIGNATURE = b'{"seal":', b',"signature":"'
_HASH_BYTES = 32


class SealedPartition(Struct, frozen=True):
    """One partition as it was sealed."""

    position: int  # Of the last record.
    root: str  # Of the Merkle tree over all records, in hexadecimal.
    accepted: int
    digest: str  # Of the accepted records (ADR-0016).


class Head(Struct, frozen=True):
    """What is signed."""

    format: int = msgspec.field(name="dialgate_seal")
    number: int = 1  # In its file.
    log: str = ""  # The log's id.
    made_at: str = ""
    previous: str | None = None  # SHA-256 of the previous seal's head, in hexadecimal.
    partitions: Mapping[str, SealedPartition] = msgspec.field(default_factory=dict)


class Detail(Struct, frozen=True):
    """What was added to a partition since the previous seal, in base64."""

    first_block: int
    blocks: str  # Roots of blocks of 1,024 records; the last may not be full.
    marks: str  # The first three bytes of each new record's leaf.


class _Rest(Struct, frozen=True):
    signature: str
    detail: Mapping[str, Detail]


class Seal(NamedTuple):
    """One line of a file of seals."""

    head: Head
    signed: bytes  # The bytes of the head.
    signature: bytes
    detail: Mapping[str, Detail]

    @property
    def hash(self) -> str:
        """Return what the next seal names as its previous one."""
        return sha256(self.signed).hexdigest()


class Known(NamedTuple):
    """All that the seals of a file say of a partition."""

    blocks: list[bytes]
    marks: bytearray


def sealed_line(head: Head, detail: Mapping[str, Detail], key: Ed25519PrivateKey) -> bytes:
    """Return a seal, signed."""
    signed = msgspec.json.encode(head)
    rest = msgspec.json.encode(_Rest(b64encode(key.sign(signed)).decode(), detail))
    return _START + signed + b"," + rest[1:] + b"\n"


def read_seal(line: bytes, where: str) -> Seal:
    """Return the seal of a line; its signature is not checked yet.

    Raises:
        SealUnreadableError: it is none, or of a later format.

    """
    signed, found, rest = line.removeprefix(_START).partition(_SIGNATURE)
    if not (line.startswith(_START) and found and line.endswith(b"}\n")):
        raise SealUnreadableError(f"{where}: expected a seal, found something else, or half of one")
    try:
        head = msgspec.json.decode(signed, type=Head)
        parsed = msgspec.json.decode(b'{"signature":"' + rest, type=_Rest)
        signature = b64decode(parsed.signature, validate=True)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise SealUnreadableError(f"{where}: expected a seal, found {exc}") from exc
    if head.format != FORMAT:
        raise SealUnreadableError(
            f"{where}: expected a seal of format {FORMAT}, found {head.format}: a later version"
            " made it"
        )
    return Seal(head, signed, signature, parsed.detail)


def check_signature(signed: bytes, signature: bytes, key: Ed25519PublicKey, where: str) -> None:
    """Check a signature.

    Raises:
        SealUnreadableError: it was not made with this key's private half, over these bytes.

    """
    try:
        key.verify(signature, signed)
    except InvalidSignature as exc:
        raise SealUnreadableError(
            f"{where}: the signature is not of this key, or the seal was altered"
        ) from exc


class Seals:
    """A file of seals, checked line by line."""

    def __init__(self, key: Ed25519PublicKey | None) -> None:
        """Begin with no seal. `key`: whose signatures they must have; None: of anybody."""
        self._key = key
        self.last: Seal | None = None
        self.known: dict[str, Known] = {}
        self.inexact: set[str] = set()  # Partitions whose detail was altered: no place is known.

    def add(self, line: bytes, where: str) -> Seal:
        """Add the next line.

        Raises:
            SealUnreadableError: it is no seal of this key, or does not follow the one before.

        """
        seal = read_seal(line, where)
        if self._key is not None:
            check_signature(seal.signed, seal.signature, self._key, where)
        number, previous = (self.last.head.number + 1, self.last.hash) if self.last else (1, None)
        if (seal.head.number, seal.head.previous) != (number, previous):
            raise SealUnreadableError(
                f"{where}: expected seal {number}, chained to the one before, found seal"
                f" {seal.head.number}: a seal was removed, added or replaced"
            )
        for name, sealed in seal.head.partitions.items():
            self._learn(name, sealed, seal.detail.get(name))
        self.last = seal
        return seal

    def _learn(self, name: str, sealed: SealedPartition, detail: Detail | None) -> None:
        known = self.known.setdefault(name, Known([], bytearray()))
        try:
            if detail is None or not 0 <= detail.first_block <= len(known.blocks):
                raise ValueError
            joined = b64decode(detail.blocks, validate=True)
            known.marks.extend(b64decode(detail.marks, validate=True))
        except ValueError:
            self.inexact.add(name)
            return
        del known.blocks[detail.first_block :]
        known.blocks.extend(joined[n : n + _HASH_BYTES] for n in range(0, len(joined), _HASH_BYTES))
        if (
            root_of(known.blocks).hex() != sealed.root
            or len(known.marks) != sealed.position * MARK_BYTES
            or len(known.blocks) != -(-sealed.position // BLOCK)
        ):
            self.inexact.add(name)


def detail_of(known: Known | None, blocks: list[bytes], marks: bytearray) -> Detail:
    """Return what a partition has beyond the last seal."""
    whole = len(known.marks) // MARK_BYTES // BLOCK if known else 0
    new = marks[len(known.marks) if known else 0 :]
    return Detail(whole, b64encode(b"".join(blocks[whole:])).decode(), b64encode(new).decode())
