"""The keys of seals: Ed25519, in PEM files as OpenSSL makes and reads them."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from campaigns.process.errors import SealUnreadableError
from campaigns.process.private_files import open_private


def make_key(path: Path) -> Path:
    """Make a private key that only its owner may read; return the file of its public key.

    Raises:
        OSError: there is such a file already, or it cannot be written.

    """
    key, public = Ed25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write(public, pem)
    public.chmod(0o644)
    return public


def _write(path: Path, pem: bytes) -> None:
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def private_key(path: Path) -> Ed25519PrivateKey:
    """Return a private key.

    Raises:
        SealUnreadableError: the file is none, is encrypted, or is of another kind of key.
        OSError: it cannot be read.

    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _no_key(path, "private", exc) from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", f"a key of another kind ({type(key).__name__})")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Return a public key.

    Raises:
        SealUnreadableError: the file is none, or is of another kind of key.
        OSError: it cannot be read.

    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _no_key(path, "public", exc) from exc
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", f"a key of another kind ({type(key).__name__})")
    return key


def _no_key(path: Path, half: str, found: object) -> SealUnreadableError:
    said = f"{found}".partition(". ")[0]
    return SealUnreadableError(
        f"{path}: expected an unencrypted {half} Ed25519 key in PEM, found {said}"
    )
