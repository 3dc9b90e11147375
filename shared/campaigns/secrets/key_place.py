"""Where the master keys are: in the environment, or in a file that is made at first need."""

import contextlib
import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from campaigns.process.private_files import open_private, sync
from campaigns.secrets.key_text import KEY_BYTES, keys_of
from campaigns.secrets.master_key import MasterKey, MasterKeyError, sealer_of

KEY_FILE = "master.key"  # Beside the embedded log.
KNOB = "DIALGATE_MASTER_KEY"


@dataclass(frozen=True)
class KeyPlace:
    """The places of the master keys. One that is given wins over the file.

    The newest seals; older ones open what they sealed, until all is sealed anew and they are
    dropped (`dialgate secrets rotate`).
    """

    given: bytes | None = None  # From the environment: the newest.
    file: Path | None = None  # None: no file is made; the knob is required.
    older: tuple[bytes, ...] = ()  # Given too, newest first.

    @classmethod
    def of(cls, given: Sequence[bytes], file: Path | None) -> Self:
        """Return the place of these keys, newest first, and of those in a file."""
        return cls(given[0] if given else None, file, tuple(given[1:]))

    @property
    def there(self) -> bool:
        """Say whether there is a key, readable or not."""
        return self.given is not None or (self.file is not None and self.file.exists())

    def sealing(self) -> MasterKey:
        """Return the key that seals; make its file if there is none yet.

        Raises:
            MasterKeyError: there is none, and none may be made.
            OSError: the file cannot be made.

        """
        if self.given is not None:
            return MasterKey(self.given)
        if self.file is None:
            raise MasterKeyError(
                f"expected {KNOB} (base64 of {KEY_BYTES} bytes) or {KNOB}_FILE, found neither:"
                " a webhook's secret is never in the log in clear"
            )
        if not self.file.exists():
            _make(self.file)
        return _read(self.file)[0]

    def open(self, sealed: str, about: str) -> bytes:
        """Return a secret that was sealed with any of the keys.

        Raises:
            MasterKeyError: there is no key, or none that has sealed it.

        """
        seen = list[str]()
        for key in self.newest_first():
            if key.sealed(sealed):
                return key.open(sealed, about)
            seen.append(key.name)
        if not seen:
            raise MasterKeyError(f"the secret of {about}: expected {KNOB}, found none")
        raise MasterKeyError(
            f"the secret of {about}: expected the master key {sealer_of(sealed)},"
            f" found {' and '.join(seen)}"
        )

    def names(self) -> Sequence[str]:
        """Return the keys' names, newest first: none where there is no key.

        Raises:
            MasterKeyError: the file cannot be read.

        """
        return [key.name for key in self.newest_first()] if self.there else []

    def newest_first(self) -> Iterator[MasterKey]:
        """Yield the keys, newest first. A file is read when it comes to it.

        Raises:
            MasterKeyError: there is a file, or only a file can be, and it cannot be read.

        """
        if self.given is not None:
            yield from map(MasterKey, (self.given, *self.older))
        if self.file is not None and (self.given is None or self.file.exists()):
            yield from _read(self.file)


def _make(path: Path) -> None:
    """Make a key file, unless another process is first. It is whole when it has its name."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_private(partial, flags), "wb") as file:
            file.write(b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # Another process has made it: it counts.
            path.hardlink_to(partial)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> list[MasterKey]:
    """Return the keys in a file, newest first: at least one."""
    try:
        return [MasterKey(key) for key in keys_of(path.read_text())]
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise MasterKeyError(f"the master key {path}: {why}") from exc
