"""AES-256-GCM, loaded where it is first used: most verbs encrypt nothing, and start sooner."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@cache
def aes_gcm() -> "type[AESGCM]":
    """Return the cipher."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM


@cache
def invalid_tag() -> type[Exception]:
    """Return what it raises for what was altered, or is of another key."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag
