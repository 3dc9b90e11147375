"""Where the master key is: in the environment, or in a file that is made at first need."""

import contextlib
import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from campaigns.process.private_files import open_private, sync
from campaigns.secrets.key_text import KEY_BYTES, key_of
from campaigns.secrets.master_key import MasterKey, MasterKeyError

KEY_FILE = "master.key"  # Beside the embedded log.
KNOB = "DIALGATE_MASTER_KEY"


@dataclass(frozen=True)
class KeyPlace:
    """The places of the master key. One that is given wins over the file."""

    given: bytes | None = None  # From the environment.
    file: Path | None = None  # None: no file is made; the knob is required.

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
        return _read(self.file)

    def open(self, sealed: str, about: str) -> bytes:
        """Return a secret that was sealed with the key, or with the file's before a key was given.

        Raises:
            MasterKeyError: there is no key, or none that has sealed it.

        """
        if self.given is not None:
            key = MasterKey(self.given)
            if sealed.startswith(f"{key.name}.") or self.file is None or not self.file.exists():
                return key.open(sealed, about)
        elif self.file is None:
            raise MasterKeyError(f"the secret of {about}: expected {KNOB}, found none")
        return _read(self.file).open(sealed, about)


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


def _read(path: Path) -> MasterKey:
    try:
        return MasterKey(key_of(path.read_text()))
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise MasterKeyError(f"the master key {path}: {why}") from exc
