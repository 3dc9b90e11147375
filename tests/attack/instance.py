"""An instance to attack: `dialgate up` on the embedded log, with few descriptors. No test in here.

    with Instance(tmp_path, descriptors=256) as instance:
        instance.ask("GET", "/api/v1/campaigns")            # (200, {…}) with organization 1's key
        instance.ask("GET", "/api/v1/campaigns", key=None)  # (401, {…})
        with instance.connect() as line:                    # tests/attack/line.py: raw bytes
            line.send(b"GET / HTTP/1.1\\r\\n")
        instance.rss_mb(), instance.descriptors(), instance.log_bytes()

Organization 1 attacks, organization 2 is the neighbour that must not feel it
(tests/attack/neighbour.py). The process may open a few files and take little memory, and no
more, so that an attack that works ends it and not the machine. When the block ends, it must have
logged no traceback, and must end well when it is asked to.
"""

import http.client
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.attack.line import Line
from tests.support.system import KEY, System

NEIGHBOUR = "dg_attack_key_of_organization_2"
MEMORY_MAX_MB = 3_000  # Of address space, threads' stacks included: far above what is asserted.
WAIT_S = 30.0
Json = Any  # Whatever a body may be.


class Instance(System):
    """One running process with its limits, and what can be seen of it from outside."""

    def __init__(self, folder: Path, *, descriptors: int | None = None, **knobs: object) -> None:
        """`descriptors`: how many files it may open. A knob is a DIALGATE_* variable."""
        chosen: Any = {"api_keys": f"{NEIGHBOUR}:2"} | knobs  # Any: a knob's value.
        super().__init__(folder, **chosen)
        limits = [f"ulimit -v {MEMORY_MAX_MB * 1024}"]
        if descriptors:
            limits.append(f"ulimit -n {descriptors}")
        self["up"].prefix = ["sh", "-c", f'{"; ".join(limits)}; exec "$@"', "sh"]

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self["up"].port

    def connect(self, timeout_s: float = 20.0) -> Line:
        """Return a connection of raw bytes. A context manager."""
        return Line(self.port, timeout_s)

    def ask(
        self, method: str, path: str, body: Json = None, *, key: str | None = KEY, **headers: str
    ) -> tuple[int, Json]:
        """Return the status and the JSON of an answer, over a connection of its own."""
        given = {"Authorization": f"Bearer {key}"} if key else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            wire.request(method, path, body, given)
            answer = wire.getresponse()
            text = answer.read()
        finally:
            wire.close()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def create(self, *, key: str = KEY, **more: object) -> int:
        """Create a campaign; return its id."""
        body = {"name": "Attacked", "assistant_id": 1, "campaign_type": "call", **more}
        status, made = self.ask("POST", "/api/v1/campaigns", body, key=key)
        assert status == 200, made
        return int(made["id"])

    def _memory_mb(self, name: str) -> float:
        status = Path(f"/proc/{self['up'].pid}/status").read_text()
        (kib,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kib) / 1024

    def rss_mb(self) -> float:
        """Return the memory that it holds, MiB."""
        return self._memory_mb("VmRSS")

    def peak_mb(self) -> float:
        """Return the most memory that it held since it began, MiB."""
        return self._memory_mb("VmHWM")

    def descriptors(self) -> list[str]:
        """Return what it has open: files by their path, sockets as "socket:[…]"."""
        found = []
        for one in Path(f"/proc/{self['up'].pid}/fd").iterdir():
            try:
                found.append(str(one.readlink()))
            except FileNotFoundError:  # Closed since.
                continue
        return found

    def sockets(self) -> int:
        """Return how many sockets it has open, its listener among them."""
        return sum(one.startswith("socket:") for one in self.descriptors())

    def log_bytes(self) -> int:
        """Return how much it has logged."""
        return self["up"].log.stat().st_size

    def quiet(self) -> None:
        """Assert that nothing it has logged is a traceback."""
        said = self["up"].output()
        assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:4_000]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.quiet()
                self.stop()
        except BaseException as exc:
            super().__exit__(type(exc), exc, exc.__traceback__)
            raise
        super().__exit__(kind, error, at)

    def __enter__(self) -> Self:
        super().__enter__()
        return self


def wait_for(condition: Callable[[], object], what: str, within_s: float = WAIT_S) -> None:
    """Return once a condition holds.

    Raises:
        AssertionError: it did not in time.

    """
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not in {within_s:g} s: {what}"
        time.sleep(0.02)
