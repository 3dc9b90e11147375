"""Where a Kafka broker for tests and `make kafka` comes from, and how it is killed and frozen.

`python -m tests.support.broker [--port 9092]` runs a throw-away one in the foreground.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tests.support.ports import Ports

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "deploy" / "kafka" / "pom.xml"
JARS = ROOT / ".kafka" / "libs"
IMAGE = "apache/kafka:4.4.0"
START_S = 180.0  # Two seconds, and what a busy machine adds.
PORTS = Ports(range(12_000, 20_000))
JAVA = (
    "java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{JARS}/*",
)  # fmt: skip


class Source(StrEnum):
    """Where a broker can come from."""

    SERVERS = "DIALGATE_KAFKA_SERVERS"
    DOCKER = "a container"
    JARS = "jars by Maven"
    NOTHING = "nothing"


def choose(
    environment: Mapping[str, str], *, docker_answers: bool, java: bool, maven: bool
) -> Source:
    """Say where the broker comes from: servers that are given, a container, the jars, nothing."""
    if environment.get("DIALGATE_KAFKA_SERVERS"):
        return Source.SERVERS
    if docker_answers:
        return Source.DOCKER
    if java and maven:
        return Source.JARS
    return Source.NOTHING


def required(environment: Mapping[str, str]) -> bool:
    """Say whether tests without a broker are an error rather than a skip."""
    return any(
        environment.get(name, "").lower() in {"1", "true", "yes"}
        for name in ("DIALGATE_REQUIRE_KAFKA", "CI")
    )


def docker_answers(environment: Mapping[str, str]) -> bool:
    """Ask the engine itself: that the docker command exists proves nothing."""
    host = environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        if host.startswith("unix://"):
            client = socket.socket(socket.AF_UNIX)
            address: str | tuple[str, int] = host.removeprefix("unix://")
        else:
            name, _, port = host.removeprefix("tcp://").rstrip("/").rpartition(":")
            client, address = socket.socket(), (name, int(port))
        with closing(client):
            client.settimeout(1.0)
            client.connect(address)
            client.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in client.recv(64)
    except (OSError, ValueError):
        return False


def chosen(environment: Mapping[str, str]) -> Source:
    """Look at this machine and choose."""
    return choose(
        environment,
        docker_answers=docker_answers(environment),
        java=has_java(),
        maven=has_jars(),
    )


def has_java() -> bool:
    return shutil.which("java") is not None


def has_jars() -> bool:
    """Say whether the jars are here, or can be fetched."""
    return jars_fetched() or shutil.which("mvn") is not None


def jars_fetched() -> bool:
    return any(JARS.glob("kafka_2.13-*.jar")) and any(JARS.glob("slf4j-simple-*.jar"))


def fetch_jars() -> None:
    """Copy the jars into the project's cache folder, unless they are there."""
    if jars_fetched():
        return
    JARS.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def free_port() -> int:
    """Return a free port that no other process of these tests was given."""
    return PORTS.free()


class Running(Protocol):
    """A broker that answers."""

    @property
    def servers(self) -> str:
        """Return `host:port`."""
        ...

    def stop(self) -> None:
        """End it, if it is ours."""
        ...


@dataclass
class Given:
    """A broker that was started elsewhere."""

    servers: str

    def stop(self) -> None:
        """Leave it alone."""


class Container:
    """One node of the official image. Its port is fixed, since the broker must advertise it."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        self.servers = f"127.0.0.1:{port}"
        self._container = DockerContainer(IMAGE).with_bind_ports(9092, port)
        listeners = "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093"
        for name, value in {
            "PROCESS_ROLES": "broker,controller",
            "NODE_ID": "1",
            "CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
            "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "LISTENERS": listeners,
            "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "ADVERTISED_LISTENERS": f"PLAINTEXT://{self.servers}",
            **{key.upper().replace(".", "_"): value for key, value in COMMON.items()},
        }.items():
            self._container.with_env(f"KAFKA_{name}", value)

    def start(self) -> "Container":
        self._container.start()
        _await_port(int(self.servers.rpartition(":")[2]), lambda: True)
        return self

    def stop(self) -> None:
        self._container.stop()


# Kafka's own defaults but for what a single, small node needs, and for haste: nothing that users
# have is switched off.
COMMON = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A broker that was killed is let in again only when its old session has ended.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    # Its default alone is as large as the heap: the broker would exit without a word.
    "log.cleaner.dedupe.buffer.size": "4194304",
}


@dataclass
class Broker:
    """One KRaft node from the jars, on loopback, in a folder of its own."""

    port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dialgate-kafka-")))
    process: subprocess.Popen[bytes] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)  # Settings of this one alone.

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Return what the broker wrote while it ran."""
        return self.folder / "broker.log"

    def start(self) -> "Broker":
        """Start it, and return once it answers. A second start uses the same data."""
        self.spawn()
        return self.await_answer()

    def spawn(self) -> None:
        """Start it, and return before it answers."""
        assert self.process is None, "already running"
        fetch_jars()
        properties = self.folder / "server.properties"
        if not properties.exists():
            self._format(properties)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*JAVA, "kafka.Kafka", properties],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def await_answer(self) -> "Broker":
        """Return once it answers."""
        running = self.process
        assert running is not None, "not running"
        try:
            _await_port(self.port, lambda: running.poll() is None)
        except RuntimeError as exc:
            self.kill()
            raise RuntimeError(f"{exc}\n{self.log.read_text()[-2000:]}") from exc
        return self

    def _format(self, properties: Path) -> None:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.servers},"
            f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": f"{self.folder}/data",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "num.recovery.threads.per.data.dir": "1",
            "background.threads": "2",
            **COMMON,
            **self.extra,
        }
        written = "".join(f"{name}={value}\n" for name, value in settings.items())
        staged = self.folder / "staged.properties"
        staged.write_text(written)
        cluster = uuid.uuid4().hex[:22]
        with self.log.open("ab") as log:  # It may print credentials: never to the console.
            subprocess.run(
                [*JAVA, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", staged],
                check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        staged.rename(properties)

    def kill(self) -> None:
        """End it as a power cut would (kill -9); its data stays."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it and start it again: the same port, the same data."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let it neither answer nor hang up (SIGSTOP)."""
        assert self.process, "not running"
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # Until every thread stands still.

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        if self.process:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it and throw its data away."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _await_port(port: int, alive: Callable[[], bool]) -> None:
    """Wait until the port is open.

    Raises:
        RuntimeError: it is not open in time, or the process is gone.

    """
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        if not alive():
            raise RuntimeError("expected a running broker, found that it had exited")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"expected a broker on port {port} within {START_S} s, found none")


def find_broker(environment: Mapping[str, str] = os.environ) -> Running | None:
    """Start (or find) the broker that `choose` names; None where there is no source."""
    match chosen(environment):
        case Source.SERVERS:
            return Given(environment["DIALGATE_KAFKA_SERVERS"])
        case Source.DOCKER:
            return Container().start()
        case Source.JARS:
            return Broker().start()
        case Source.NOTHING:
            return None


def main() -> int:
    """Run a throw-away broker until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    port = parser.parse_args().port or free_port()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    broker = Broker(port=port)
    try:
        broker.start()
        print(broker.servers, flush=True)
        while not told.wait(0.2):
            if broker.process is None or broker.process.poll() is not None:
                print(broker.log.read_text()[-2000:], file=sys.stderr)
                return 1
    finally:
        broker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
