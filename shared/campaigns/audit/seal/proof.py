"""A proof bundle: the records about one number or contact, and their paths to a signed root.

It can be checked without the log: each record was in the log, at its position, when it was sealed.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from campaigns.audit.seal.merkle import leaf, root_by
from campaigns.audit.seal.seal_format import Head, check_signature
from campaigns.domain.facts import CampaignErased
from campaigns.process.errors import SealUnreadableError
from campaigns.records.topics import Partition

FORMAT = 1
PROVES = (
    "each of these records was in the log, byte for byte and at this position, when it was sealed",
    "of each contact's stream none that counted is missing before the last one shown: each record"
    " names how many came before it",
)
PROVES_NOT = (
    "that nothing came after the last one shown, or that no other contact has this number",
    "that each record counts: that takes the log (`dialgate verify --seal`)",
    "that an encrypted chunk has this number in it: that takes the key of its list",
    "that the times in the records are true, or that the log was complete when it was sealed",
)
_CONTACT = re.compile(r"([1-9][0-9]{0,15})/([1-9][0-9]{0,15})", re.ASCII)


class Subject(NamedTuple):
    """What a bundle is about: a number in E.164, or one contact."""

    number: str | None
    contact: tuple[int, int] | None  # Campaign, contact.

    def __str__(self) -> str:
        return self.number or "contact " + "/".join(map(str, self.contact or ()))


class ProvenRecord(Struct, frozen=True):
    """One record with its path."""

    partition: str
    position: int
    record: str  # Its bytes, in base64: they are what is hashed.
    path: Sequence[str]  # Of siblings, from the bottom up, in hexadecimal.


class Bundle(Struct, frozen=True):
    """A whole bundle. `seal`: the signed bytes of the seal's head, as text."""

    format: int = msgspec.field(name="dialgate_proof")
    number: str | None = None
    contacts: Sequence[str] = ()  # `campaign/contact`, of the number, or the one asked for.
    seal: str = ""
    signature: str = ""  # In base64.
    records: Sequence[ProvenRecord] = ()
    proves: Sequence[str] = PROVES
    proves_not: Sequence[str] = PROVES_NOT


class Proven(NamedTuple):
    """What a bundle that was checked says."""

    bundle: Bundle
    head: Head
    records: Sequence[tuple[str, Mapping[str, Any]]]  # Place and JSON of each record.
    gaps: Sequence[str]  # Records of a contact's stream that must exist and are not shown.


def contact_of(text: str) -> tuple[int, int] | None:
    """Return campaign and contact of `campaign/contact`; None: it is no such text."""
    found = _CONTACT.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def proven(partition: Partition, position: int, raw: bytes, path: Sequence[bytes]) -> ProvenRecord:
    """Return a record with its path, as a bundle holds it."""
    shown = [one.hex() for one in path]
    return ProvenRecord(str(partition), position, b64encode(raw).decode(), shown)


def check_bundle(text: bytes, key: Ed25519PublicKey, where: str) -> Proven:
    """Check a bundle without the log.

    Raises:
        SealUnreadableError: it is none, its seal is not signed with this key, a record is not in
            the sealed log, or has nothing to do with what the bundle is about.

    """
    try:
        bundle = msgspec.json.decode(text, type=Bundle)
        head = msgspec.json.decode(bundle.seal, type=Head)
        signature = b64decode(bundle.signature, validate=True)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise SealUnreadableError(f"{where}: expected a proof bundle, found {exc}") from exc
    if bundle.format != FORMAT:
        raise SealUnreadableError(
            f"{where}: expected a bundle of format {FORMAT}, found {bundle.format}: a later version"
            " made it"
        )
    check_signature(bundle.seal.encode(), signature, key, where)
    records = [_checked(record, head, bundle, where) for record in bundle.records]
    return Proven(bundle, head, records, list(_gaps(bundle, records)))


def _checked(
    record: ProvenRecord, head: Head, bundle: Bundle, where: str
) -> tuple[str, Mapping[str, Any]]:
    at = f"{record.partition}@{record.position}"
    sealed = head.partitions.get(record.partition)
    try:
        raw = b64decode(record.record, validate=True)
        path = [bytes.fromhex(one) for one in record.path]
    except ValueError as exc:
        raise SealUnreadableError(f"{where}: {at} is not as agreed: {exc}") from exc
    index = record.position - 1
    if sealed is None or not 0 <= index < sealed.position:
        raise SealUnreadableError(f"{where}: {at} lies outside what was sealed")
    if (root := root_by(path, index, sealed.position, leaf(raw))) is None or (
        root.hex() != sealed.root
    ):
        raise SealUnreadableError(
            f"{where}: {at} is not the record that was sealed there: it was altered, or moved"
        )
    try:
        found = orjson.loads(raw)
        relevant = touches(found, bundle.number, bundle.contacts)
    except (ValueError, TypeError, KeyError, AttributeError):
        relevant = False
    if not relevant:
        raise SealUnreadableError(f"{where}: {at} is not about what the bundle is about")
    return at, found


def touches(record: Mapping[str, Any], number: str | None, contacts: Sequence[str]) -> bool:
    """Say whether a record is about a number or one of these contacts. Any: JSON.

    A chunk of contacts, the fact that counts its list, and the erasure of its campaign are.
    """
    streams = {f"contact/{contact}" for contact in contacts}
    campaigns = {int(contact.partition("/")[0]) for contact in contacts}
    for fact in record["facts"]:
        data = fact["data"]
        if fact["stream"] in streams:
            return True
        if "rows" in data and isinstance(data["rows"], list):  # A chunk: its rows have no ids yet.
            if number is None or any(_may_be(row, number) for row in data["rows"]):
                return True
        elif data.get("campaign_id") in campaigns and (
            data.get("import_id") is not None or fact.get("type") == CampaignErased.TYPE
        ):
            return True
    return False


def _may_be(row: Any, number: str) -> bool:  # Any: JSON.
    """Say whether a row has this number, or is encrypted: then only the list's key tells."""
    return isinstance(row, str) or row.get("phone_number") == number


def _gaps(bundle: Bundle, records: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield which versions of the contacts' streams the bundle does not show."""
    for contact in bundle.contacts:
        stream, version = f"contact/{contact}", 0
        for at, record in records:
            if (seen := record["condition"].get(stream)) is None:
                continue
            writes = sum(fact["stream"] == stream for fact in record["facts"])
            if seen != version:
                yield f"{stream}: expected its version {version}, found {seen} at {at}"
            version = seen + writes
