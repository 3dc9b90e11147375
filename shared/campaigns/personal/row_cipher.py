"""Rows of contacts as the log, stores and views hold them: encrypted, each with a key of its own.

A row is bound to its list's key and to its number, so that it opens in no other place. Pure but
for random nonces. Source: ADR-0041; NIST SP 800-38D.
"""

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from campaigns.domain.codec import Codec
from campaigns.domain.facts import ContactsEncrypted
from campaigns.domain.values.rows import Row
from campaigns.personal.key_tree import KeyTree
from campaigns.process.errors import OperatingError, StoreUnreadableError
from campaigns.secrets.cipher import aes_gcm, invalid_tag

NONCE_BYTES = 12
TAG_BYTES = 16
_ROW = Codec(Row)


class AlteredRowError(OperatingError):
    """An encrypted row is not the one that was written in its place."""


class StoredRow(NamedTuple):
    """One row as a store holds it. `details`: JSON if it has no key, else as in the log."""

    key_id: str | None
    number: int  # 1 is its list's first.
    details: str


def contacts_encrypted(
    import_id: str, first_row: int, key_id: str, rows: Sequence[str]
) -> ContactsEncrypted:
    """Return the fact of a chunk whose rows are encrypted."""
    return ContactsEncrypted(
        import_id=import_id, first_row=first_row, key_id=key_id, rows=tuple(rows)
    )


def encrypted(tree: KeyTree, key_id: str, first: int, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return rows as `contacts-encrypted` holds them: base64 of nonce, ciphertext and tag."""
    nonces = os.urandom(NONCE_BYTES * len(rows))
    found = list[str]()
    for n, (row, key) in enumerate(zip(rows, tree.keys(first, len(rows)), strict=True)):
        assert key is not None, "nobody is forgotten before being written"
        nonce = nonces[n * NONCE_BYTES : (n + 1) * NONCE_BYTES]
        found.append(_seal(key, nonce, row.as_json(), _about(key_id, first + n)))
    return tuple(found)


def repeatably_encrypted(
    tree: KeyTree, key_id: str, first: int, rows: Sequence[Row]
) -> Iterator[str]:
    """Yield rows as `encrypted` makes them, but the same ones each time.

    A nonce is the start of an HMAC of the row, as in RFC 8452: no two rows have one with one key.
    """
    for n, (row, key) in enumerate(zip(rows, tree.keys(first, len(rows)), strict=True)):
        assert key is not None, "nobody is forgotten before being written"
        text = row.as_json()
        nonce = hmac.digest(key, b"dialgate nonce " + text, "sha256")[:NONCE_BYTES]
        yield _seal(key, nonce, text, _about(key_id, first + n))


def opened(tree: KeyTree, key_id: str, first: int, rows: Sequence[str]) -> Iterator[Row | None]:
    """Yield rows of a list as they were; None for each that was forgotten.

    Raises:
        AlteredRowError: one is not what was written.

    """
    for n, (text, key) in enumerate(zip(rows, tree.keys(first, len(rows)), strict=True)):
        yield None if key is None else _open(key, key_id, first + n, text)


def opened_row(tree: KeyTree, key_id: str, number: int, text: str) -> Row | None:
    """Return one row of a list as it was; None if it was forgotten. Raises: as `opened`."""
    key = tree.key(number)
    return None if key is None else _open(key, key_id, number, text)


def plain(row: StoredRow) -> Row:
    """Return a row that was written before rows were encrypted."""
    return _ROW.load(row.details, f"row {row.number} of a list")


def written_bytes(row: Row) -> int:
    """Return how many bytes an encrypted row takes in a record, its comma included."""
    bare = len(row.as_json()) + NONCE_BYTES + TAG_BYTES
    return (bare + 2) // 3 * 4 + 3


def _seal(key: bytes, nonce: bytes, text: bytes, about: bytes) -> str:
    return b64encode(nonce + aes_gcm()(key).encrypt(nonce, text, about)).decode()


def _open(key: bytes, key_id: str, number: int, text: str) -> Row:
    try:
        raw = b64decode(text, validate=True)
        found = aes_gcm()(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _about(key_id, number))
        return _ROW.load(found, f"row {number} of a list")
    except (invalid_tag(), ValueError) as exc:
        raise AlteredRowError(f"row {number} of the list with key {key_id} was altered") from exc
    except StoreUnreadableError as exc:  # No reader of the log could look at it when it came.
        raise AlteredRowError(f"row {number} of the list with key {key_id} is no row") from exc


def _about(key_id: str, number: int) -> bytes:
    return f"{key_id}/{number}".encode()
