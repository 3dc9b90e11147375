"""The system as a user starts it: real `dialgate` processes on one data directory. No test in here.

    with System(tmp_path, "parts") as system:         # or "up": all in one process
        client = system.client()                      # tests/support/client.py
        campaign = client.create(500)
        client.start(campaign)
        system["dialer"].kill9()
        system["dialer"].restart()                    # the same port, the same files
        client.pause(campaign)
        ...
        report = audit(system, client)                # tests/support/auditor.py

`System(folder, layout, kafka=servers, namespace="t1.", carrier_process=True, **knobs)`: a knob is a
DIALGATE_* variable in lower case without its prefix (`lease_s=1`). Without `kafka` the log is the
embedded one. `system.processes` are by verb: "up", or "command-api", "dialer", "projector",
"carrier". Each has `start`, `restart`, `kill9`, `freeze`, `thaw`, `stop` and `output`; when the
block ends with an exception, what each process wrote is printed. All are killed when it ends.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.support.client import Client
from tests.support.ports import Ports

Layout = Literal["up", "parts"]
KEY = "dg_e2e_key_of_organization_1"
START_S = 60.0  # Imports alone take a second or two when both cores are busy.
STOP_S = 60.0
OUTPUT_SHOWN = 6_000  # Characters of each process, when a test fails.
PORTS = Ports(range(20_000, 32_000))  # Brokers have those below.
PARTS = ("carrier", "command-api", "projector", "dialer")  # The order in which they start.
SERVES = re.compile(r"^dialgate .+ on (http://\S+) \(pid \d+\)$", re.MULTILINE)
ROOT = Path(__file__).resolve().parents[2]

# Calls are short, so that hundreds fit into a test; terms as the house style has them for tests.
KNOBS: Mapping[str, object] = {
    "api_key": KEY,
    "lease_s": 0.3,
    "carrier_timeout_s": 0.5,
    "carrier_placing_max": 20,
    "carrier_setup_ms": 10,
    "carrier_ringing_min_s": 0.02,
    "carrier_ringing_max_s": 0.1,
    "carrier_talk_min_s": 0.02,
    "carrier_talk_max_s": 0.15,
    "recover_poll_s": 0.2,
    "drain_s": 2,
}


def free_port() -> int:
    """Return a free port that no other process of these tests was given."""
    return PORTS.free()


def dialgate(*arguments: str) -> list[str]:
    """Return the command line of one process; where the kernel can, it dies with this one."""
    command = [sys.executable, "-m", "dialgate", *arguments]
    return ["setpriv", "--pdeathsig", "KILL", *command] if shutil.which("setpriv") else command


class Process:
    """One `dialgate` process in a process group of its own, which can be ended and begun again."""

    def __init__(self, verb: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.verb, self._folder = verb, folder
        self.port = free_port()
        self.environment = {**environment, "DIALGATE_PORT": str(self.port)}
        self.home = ROOT  # Where its code is: a test may have another build of it.
        self.prefix: list[str] = []  # Put before the command line, such as `sh -c "ulimit …"`.
        self.log = folder / f"{verb}.out"  # Of all its lives.
        self.starts = 0
        self._popen: subprocess.Popen[bytes] | None = None
        self._seen = 0  # Bytes of the log that earlier lives wrote.

    @property
    def url(self) -> str:
        """Return its address, the same in every life."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        """Return where its files are."""
        return Path(self.environment["DIALGATE_DATA_DIR"])

    @property
    def pid(self) -> int:
        """Return the running process's id."""
        assert self._popen, f"{self.verb} is not running"
        return self._popen.pid

    @property
    def started(self) -> bool:
        """Say whether it was started and not yet ended by `wait`, `kill9` or `stop`."""
        return self._popen is not None

    @property
    def running(self) -> bool:
        """Say whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def spawn(self) -> Self:
        """Start it, and return before it serves."""
        assert self._popen is None, f"{self.verb} is running already"
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                [*self.prefix, *dialgate(self.verb)], cwd=self.home, env=self.environment,
                start_new_session=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        self.starts += 1
        return self

    def wait_served(self) -> Self:
        """Return once it has printed its address and accepts connections."""
        give_up_at = time.monotonic() + START_S
        while not (found := SERVES.search(self.output())):
            if not self.running:
                raise AssertionError(f"{self.verb} exited with {self.wait()}\n{self.output()}")
            if time.monotonic() > give_up_at:
                raise AssertionError(f"{self.verb}: not there after {START_S} s\n{self.output()}")
            time.sleep(0.02)
        assert found[1] == self.url, f"expected {self.url}, found {found[1]}"
        return self

    def start(self) -> Self:
        """Start it, and return once it serves."""
        return self.spawn().wait_served()

    restart = start  # After kill9 or stop: the same port, the same files.

    def output(self) -> str:
        """Return what it has written since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as out:
            out.seek(self._seen)
            return out.read().decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.pid, number)

    def kill9(self) -> None:
        """End it as a power cut would; return when it is gone."""
        if self.running:
            self._signal(signal.SIGKILL)
        if self._popen:
            self.wait()

    def freeze(self) -> None:
        """Let it neither answer nor hang up (SIGSTOP), until `thaw`."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)  # Until every thread stands still.

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def wait(self, within_s: float = STOP_S) -> int:
        """Return the status with which it ends."""
        assert self._popen, f"{self.verb} was not started"
        status = self._popen.wait(within_s)
        self._popen = None
        return status

    def terminate(self) -> int:
        """Ask it to end (SIGTERM); return its status."""
        self._signal(signal.SIGTERM)
        return self.wait()

    def stop(self) -> None:
        """Ask it to end, and expect that it ends well."""
        status, said = self.terminate(), self.output()
        assert status == 0, f"{self.verb} exited with {status}\n{said}"
        assert "Traceback" not in said, f"{self.verb} ended badly\n{said}"


class System:
    """All processes of one system on one data directory. A context manager."""

    def __init__(
        self,
        folder: Path,
        layout: Layout = "up",
        *,
        kafka: str | None = None,
        namespace: str = "",
        carrier_process: bool = False,
        **knobs: object,
    ) -> None:
        """`carrier_process`: in layout "up" the carrier is a process too; in "parts" it always is.

        A knob that is None is left out, so that the product's own default holds.
        """
        self.folder = folder
        self.data_dir = folder / "data"
        self.rings = folder / "rings.jsonl"  # The carrier's own record.
        chosen = {**KNOBS, "data_dir": self.data_dir, "carrier_log": self.rings, **knobs}
        if kafka:
            chosen |= {"kafka_servers": kafka, "kafka_namespace": namespace}
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DIALGATE_")
        } | {f"DIALGATE_{n.upper()}": str(v) for n, v in chosen.items() if v is not None}
        self.processes: dict[str, Process] = {}
        if layout == "parts" or carrier_process:
            self._add("carrier")
            self.environment["DIALGATE_CARRIER_URL"] = self["carrier"].url
        for verb in ("up",) if layout == "up" else PARTS[1:]:
            self._add(verb)

    def _add(self, verb: str) -> None:
        self.processes[verb] = Process(verb, self.folder, self.environment)

    def another(self, verb: str) -> Process:
        """Add one more process of a part, with a data directory of its own; "dialer-2" by name."""
        name = f"{verb}-{sum(process.verb == verb for process in self) + 1}"
        folder = self.folder / name
        folder.mkdir()
        data_dir = {"DIALGATE_DATA_DIR": str(folder / "data")}
        self.processes[name] = Process(verb, folder, {**self.environment, **data_dir})
        return self.processes[name]

    def __getitem__(self, verb: str) -> Process:
        return self.processes[verb]

    @property
    def commands_url(self) -> str:
        """Return where commands go."""
        return self["up" if "up" in self.processes else "command-api"].url

    @property
    def queries_url(self) -> str:
        """Return where every GET goes."""
        return self["up" if "up" in self.processes else "projector"].url

    def __iter__(self) -> Iterator[Process]:
        return iter(self.processes.values())

    def start(self) -> Self:
        """Start what does not run; return once all of them serve."""
        down = [process for process in self if not process.running]
        for process in down:
            process.spawn()
        for process in down:
            process.wait_served()
        return self

    def kill9(self) -> None:
        """End every process as a power cut would."""
        for process in self:
            if process.running:
                process._signal(signal.SIGKILL)
        for process in self:
            process.kill9()

    def stop(self) -> None:
        """Ask all to end, the carrier last, and expect that they end well."""
        for process in reversed(list(self)):
            if process.running:
                process.stop()

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one more `dialgate` command in the system's environment, to its end."""
        return subprocess.run(
            dialgate(*arguments), cwd=ROOT, env={**self.environment, **more}, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def client(self) -> Client:
        """Return a client of organization 1, which tries again while processes are down."""
        return Client(self.commands_url, self.queries_url, KEY)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for process in self:
            if process.running:
                process.thaw()
        self.kill9()
        if error is not None:
            for process in self:
                text = process.log.read_text(errors="replace") if process.log.exists() else ""
                print(f"--- {process.verb}, {process.starts} starts ---\n{text[-OUTPUT_SHOWN:]}")
