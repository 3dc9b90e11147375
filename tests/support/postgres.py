"""A throw-away PostgreSQL for tests: DIALGATE_TEST_DATABASE_URL, else one from this machine."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_AS = "postgres"  # The server refuses to run as root.


class Server:
    """A server of this machine, which a test may crash and start again."""

    def __init__(self, folder: Path) -> None:
        """Prepare an empty database. No programs: a loud skip, and in CI an error."""
        programs = _programs()
        if programs is None:
            reason = "no PostgreSQL: set DIALGATE_TEST_DATABASE_URL, or install its server"
            assert not os.environ.get("CI"), reason
            pytest.skip(reason)
        _give(folder)
        self._programs, self._folder = programs, folder
        self.url = f"postgresql://test@/postgres?host={folder}"
        _run(programs / "initdb", "-D", str(self._data), "-A", "trust", "-U", "test", "--no-sync")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        log = str(self._folder / "log")
        control = self._programs / "pg_ctl"
        _run(control, "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def crash(self) -> None:
        """End all its processes without a shutdown: it recovers at its next start."""
        _run(self._programs / "pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")


@contextmanager
def postgres_url(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database. No server: a loud skip, and in CI an error."""
    if given := os.environ.get("DIALGATE_TEST_DATABASE_URL"):
        yield given
        return
    server = Server(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.crash()


def _give(folder: Path) -> None:
    """Give a folder to the user as whom the server runs."""
    if os.geteuid() != 0:
        return
    try:
        owner = pwd.getpwnam(_AS)
    except KeyError:
        reason = f"PostgreSQL does not run as root, and there is no user {_AS}"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    for parent in folder.parents[:3]:
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)


def _programs() -> Path | None:
    """Return where the server's programs are; Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def _run(program: Path, *arguments: str) -> None:
    command = [str(program), *arguments]
    asked = ["setpriv", f"--reuid={_AS}", f"--regid={_AS}", "--clear-groups", *command]
    made = subprocess.run(
        asked if os.geteuid() == 0 else command, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, f"{command[0]}: {made.stdout[-500:]}{made.stderr[-500:]}"
