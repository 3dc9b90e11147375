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


@contextmanager
def postgres_url(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database. No server: a loud skip, and in CI an error."""
    if given := os.environ.get("DIALGATE_TEST_DATABASE_URL"):
        yield given
        return
    programs = _programs()
    if programs is None:
        reason = "no PostgreSQL: set DIALGATE_TEST_DATABASE_URL, or install its server"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam(_AS)
        except KeyError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {_AS}")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        for parent in folder.parents[:3]:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
    data, socket = folder / "data", folder
    _run(programs / "initdb", "-D", str(data), "-A", "trust", "-U", "test", "--no-sync")
    options = f"-k {socket} -c listen_addresses= -c fsync=off"
    _run(
        programs / "pg_ctl",
        "-D",
        str(data),
        "-o",
        options,
        "-l",
        str(folder / "log"),
        "-w",
        "start",
    )
    try:
        yield f"postgresql://test@/postgres?host={socket}"
    finally:
        _run(programs / "pg_ctl", "-D", str(data), "-m", "immediate", "stop")


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
