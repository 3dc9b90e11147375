"""Three brokers as a company runs them: TLS, names, rights. No test in here.

Certificates are made by openssl; rights are given and taken while everything runs.
"""

import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.security import Security
from tests.support.broker import COMMON, JAVA, Broker, fetch_jars, free_port

ADMIN, PASSWORD = "admin", "admin-secret"
MECHANISM = {"api": "SCRAM-SHA-512", "dialer": "SCRAM-SHA-256", "projector": "PLAIN"}
TOPIC, GROUP = 2, 3  # Source: Kafka's ResourceType.
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
ALLOW, LITERAL = 3, 3
QUICK = {  # So that a dead broker is missed soon; Kafka's defaults are 9 s and more.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "500",
    "replica.lag.time.max.ms": "2000",
}


@dataclass
class Certificates:
    """An authority of our own, and what it has signed."""

    folder: Path

    def __post_init__(self) -> None:
        self.ca = self.folder / "ca.pem"
        self._openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA",
            "-keyout", self.folder / "ca.key", "-out", self.ca,
        )  # fmt: skip

    def signed(self, name: str, *, address: str = "127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """Return a certificate for a name and an address, and its key."""
        key, asked, pem = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{address}\n")
        self._openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
            "-out", asked,
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", asked, "-CA", self.ca, "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", pem,
        )  # fmt: skip
        return pem, key

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(
            ["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True
        )


@dataclass
class Node(Broker):
    """One of the brokers."""

    properties: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    tls_port: int = field(default_factory=free_port)

    def _format(self, properties: Path) -> None:
        staged = self.folder / "staged.properties"
        staged.write_text("".join(f"{name}={value}\n" for name, value in self.properties.items()))
        scram = [
            one
            for user in ("api", "dialer")
            for one in ("--add-scram", f"{MECHANISM[user]}=[name={user},password={secret(user)}]")
        ]
        with self.log.open("ab") as log:  # It prints credentials: never to the console.
            subprocess.run(
                [*JAVA, "kafka.tools.StorageTool", "format", "-t", self.cluster, "-c", staged,
                 *scram],
                check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        staged.rename(properties)


def secret(user: str) -> str:
    """Return a user's password."""
    return PASSWORD if user == ADMIN else f"{user}-secret"


@dataclass
class Cluster:
    """So many brokers that are controllers too, and know their users."""

    size: int = 3
    secure: bool = True
    extra: Mapping[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dialgate-cluster-"))
        self.certificates = Certificates(self.folder) if self.secure else None
        id_ = uuid.uuid4().hex[:22]
        self.nodes = [Node(cluster=id_) for _ in range(self.size)]
        for number, node in enumerate(self.nodes, 1):
            node.properties = self._properties(number, node)

    @property
    def servers(self) -> str:
        return ",".join(node.servers for node in self.nodes)

    @property
    def tls_servers(self) -> str:
        """Return where a certificate is asked for, and no name."""
        return ",".join(f"127.0.0.1:{node.tls_port}" for node in self.nodes)

    def _properties(self, number: int, node: Node) -> dict[str, str]:
        voters = (f"{n}@127.0.0.1:{one.controller_port}" for n, one in enumerate(self.nodes, 1))
        listeners = {"CLIENTS": f"127.0.0.1:{node.port}"}
        protocols = {"CLIENTS": "SASL_SSL" if self.secure else "PLAINTEXT"}
        if self.secure:
            listeners["TLS"], protocols["TLS"] = f"127.0.0.1:{node.tls_port}", "SSL"
        bound = [f"{name}://{at}" for name, at in listeners.items()]
        copies = str(min(3, self.size))
        return {
            **COMMON,
            **QUICK,
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": ",".join(voters),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            "listeners": ",".join([*bound, f"CONTROLLER://127.0.0.1:{node.controller_port}"]),
            "advertised.listeners": ",".join(bound),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}"
                for name, protocol in {**protocols, "CONTROLLER": "PLAINTEXT"}.items()
            ),
            "log.dirs": f"{node.folder}/data",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "num.network.threads": "2",
            "num.io.threads": "2",
            **(self._security() if self.secure else {}),
            **self.extra,
        }

    def _security(self) -> dict[str, str]:
        assert self.certificates is not None, "secure"
        pem, key = self.certificates.signed("broker")
        store = self.folder / "broker.store.pem"
        store.write_text(key.read_text() + pem.read_text())
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        users = " ".join(f'user_{one}="{secret(one)}"' for one in (ADMIN, "projector"))
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        jaas = "listener.name.clients.{}.sasl.jaas.config"
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
            "listener.name.tls.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            jaas.format("plain"): f'{plain} username="{ADMIN}" password="{PASSWORD}" {users};',
            jaas.format("scram-sha-256"): scram,
            jaas.format("scram-sha-512"): scram,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Only the controllers' own listener, on loopback, is anonymous.
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
        }

    def start(self) -> "Cluster":
        fetch_jars()
        for node in self.nodes:  # A quorum answers only once two are there: none is awaited alone.
            node.spawn()
        for node in self.nodes:
            node.await_answer()
        return self

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def kafka(self, namespace: str = "") -> Kafka:
        """Return the cluster as its administrator speaks to it."""
        return Kafka(self.servers, namespace, self.security(ADMIN) if self.secure else Security())

    def security(self, user: str, password: str | None = None) -> Security:
        assert self.certificates is not None, "secure"
        return Security(
            "SASL_SSL",
            MECHANISM.get(user, "PLAIN"),
            user,
            password or secret(user),
            self.certificates.ca,
        )

    def knobs(self, user: str) -> dict[str, str]:
        """Return how a process is told to come as a user."""
        assert self.certificates is not None, "secure"
        return {
            "DIALGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "DIALGATE_KAFKA_SASL_MECHANISM": MECHANISM.get(user, "PLAIN"),
            "DIALGATE_KAFKA_SASL_USERNAME": user,
            "DIALGATE_KAFKA_SASL_PASSWORD": secret(user),
            "DIALGATE_KAFKA_SSL_CAFILE": str(self.certificates.ca),
        }


@dataclass(frozen=True)
class Right:
    """One thing that a user may do."""

    user: str
    kind: int  # TOPIC or GROUP.
    name: str
    operation: str

    def of(self) -> tuple[int, str, int, str, str, int, int]:
        operation = OPERATIONS[self.operation]
        return self.kind, self.name, LITERAL, f"User:{self.user}", "*", operation, ALLOW


async def give(admin: AIOKafkaAdminClient, *rights: Right) -> None:
    for right in rights:
        answer = await admin._send_to_controller(CreateAclsRequest(*right.of()))
        assert not any(code for code, _ in answer.creation_responses), answer


async def take(admin: AIOKafkaAdminClient, *rights: Right) -> None:
    for right in rights:
        answer = await admin._send_to_controller(DeleteAclsRequest(*right.of()))
        assert not any(code for code, *_ in answer.filter_responses), answer
