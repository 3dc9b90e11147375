"""The gateway as it is deployed: the system's `caddy` with deploy/Caddyfile. No test in here.

with Gateway(system.commands_url, system.queries_url, tmp_path) as gateway:
    client = Client(gateway.url, gateway.url, KEY)
"""

import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.system import ROOT, free_port

CADDYFILE = ROOT / "deploy" / "Caddyfile"
START_S = 60.0


def caddy() -> str | None:
    """Return the system's caddy, or None."""
    return shutil.which("caddy")


def adapted() -> dict[str, Any]:
    """Return what caddy makes of the Caddyfile where nothing is set. Any: JSON."""
    done = _caddy("adapt")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def validated() -> subprocess.CompletedProcess[str]:
    """Return what caddy says of the Caddyfile."""
    return _caddy("validate")


def _caddy(verb: str) -> subprocess.CompletedProcess[str]:
    executable = caddy()
    assert executable, "who asks has looked for it"
    return subprocess.run(
        [executable, verb, "--config", CADDYFILE, "--adapter", "caddyfile"],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_S,
    )  # fmt: skip


class Gateway:
    """Caddy on a port of its own, in front of two addresses. A context manager."""

    def __init__(
        self, commands_url: str, queries_url: str, folder: Path, **environment: str
    ) -> None:
        """`environment`: GATEWAY_… variables in lower case without that prefix."""
        self._port, self._live_port = free_port(), free_port()
        self._tls = environment.get("site", "").startswith("https")
        port = "GATEWAY_HTTPS_PORT" if self._tls else "GATEWAY_HTTP_PORT"
        self.url = (
            f"https://localhost:{self._port}" if self._tls else f"http://127.0.0.1:{self._port}"
        )
        self._log = folder / "caddy.out"
        self._environment = (
            os.environ
            | {
                "GATEWAY_HOST": "127.0.0.1",
                "GATEWAY_HTTP_PORT": str(free_port()),
                port: str(self._port),
                "GATEWAY_LIVE_PORT": str(self._live_port),
                "COMMAND_API_ADDRESS": commands_url.removeprefix("http://"),
                "PROJECTOR_ADDRESS": queries_url.removeprefix("http://"),
                "XDG_CONFIG_HOME": str(folder),
                "XDG_DATA_HOME": str(folder),
            }
            | {f"GATEWAY_{name.upper()}": value for name, value in environment.items()}
        )
        self.authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        executable = caddy()
        assert executable, "who asks has looked for it"
        command = [executable, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with self._log.open("ab") as out:
            self._popen = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        give_up_at = time.monotonic() + START_S
        while True:
            try:
                self._expect_answers()
            except (httpx.TransportError, OSError) as exc:
                if self._popen.poll() is not None or time.monotonic() > give_up_at:
                    raise AssertionError(f"no gateway\n{self._log.read_text()}") from exc
                time.sleep(0.02)
            else:
                return self

    def _expect_answers(self) -> None:
        """Raise an error until it answers; its certificate is made after it begins to listen."""
        live = f"http://127.0.0.1:{self._live_port}/health/live"
        httpx.get(live, trust_env=False).raise_for_status()
        if self._tls:
            trusted = ssl.create_default_context(cafile=str(self.authority))
            httpx.get(self.url, trust_env=False, verify=trusted)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._popen, "entered before"
        self._popen.send_signal(signal.SIGTERM)
        self._popen.wait(START_S)
        if error is not None:
            print(f"--- caddy ---\n{self._log.read_text(errors='replace')[-4000:]}")
