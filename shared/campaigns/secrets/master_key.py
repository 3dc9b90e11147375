"""Seals secrets that are in the log: AES-256-GCM, by the master key. Pure but for random nonces.

What is sealed is bound to what it belongs to (`about`), so that it opens nowhere else.
Source: NIST SP 800-38D, 8.2.2: at most 2^32 secrets a key with random nonces.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

from campaigns.process.errors import OperatingError
from campaigns.secrets.cipher import aes_gcm, invalid_tag
from campaigns.secrets.key_text import KEY_BYTES

_NONCE_BYTES = 12
_NAME_CHARS = 16  # Of the key's hash: names it, and tells nothing of 256 random bits.


def sealer_of(sealed: str) -> str:
    """Return the name of the key that has sealed it."""
    return sealed.partition(".")[0]


class MasterKeyError(OperatingError):
    """There is no master key, or it is not the one that sealed a secret."""


@dataclass(frozen=True)
class MasterKey:
    """256 random bits that seal secrets."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.key) == KEY_BYTES, "whoever reads a key checks it"

    @property
    def name(self) -> str:
        """Return the key's public name."""
        return sha256(b"dialgate master key\0" + self.key).hexdigest()[:_NAME_CHARS]

    def seal(self, secret: bytes, about: str) -> str:
        """Return a secret as the log may have it: `<key's name>.<nonce and ciphertext>`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = aes_gcm()(self.key).encrypt(nonce, secret, about.encode())
        return f"{self.name}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def sealed(self, text: str) -> bool:
        """Say whether this key has sealed it. Cheap: by the name alone."""
        return sealer_of(text) == self.name

    def open(self, sealed: str, about: str) -> bytes:
        """Return what `seal` was given, of the same thing.

        Raises:
            MasterKeyError: another key sealed it, or it was altered, or is of something else.

        """
        name, _, text = sealed.partition(".")
        if name != self.name:
            raise MasterKeyError(
                f"the secret of {about}: expected the master key {name}, found {self.name}"
            )
        try:
            raw = urlsafe_b64decode(text)
            return aes_gcm()(self.key).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode()
            )
        except (invalid_tag(), ValueError) as exc:
            raise MasterKeyError(f"the secret of {about} was altered in the log") from exc
