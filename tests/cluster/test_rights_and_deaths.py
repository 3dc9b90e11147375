"""A running campaign on three brokers: rights taken and given back, brokers killed. Bounded.

The rights in `RIGHTS` are those that docs/operations.md lists, a part at a time, and no others.
"""

import asyncio
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.records.topics import CAMPAIGN_RECORDS
from campaigns.secrets.key_place import KeyPlace
from tests.cluster.brokers import GROUP, TOPIC, Cluster, Right, give, take
from tests.conftest import _without
from tests.support.auditor import audit, rings_of
from tests.support.broker import Source, choose, has_jars, has_java
from tests.support.client import API, Client, handled
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

NAMESPACE = "c."
RECORDS, ORGANIZATIONS, INSTALLATION, EVENTS, KEYS = (
    f"{NAMESPACE}{name}"
    for name in (
        "campaign.records",
        "organization.records",
        "installation.records",
        "campaign.events",
        "contact.keys",
    )
)
MASTER_KEY = bytes(32)
WRITTEN = b64encode(MASTER_KEY).decode()
DIALERS = f"{NAMESPACE}dialgate-dialers"
WRITES = {
    "api": (RECORDS, ORGANIZATIONS, INSTALLATION, KEYS),
    "dialer": (RECORDS,),
    "projector": (EVENTS,),
}
READS = {
    "api": (RECORDS, ORGANIZATIONS, INSTALLATION, KEYS),
    "dialer": (RECORDS, INSTALLATION, KEYS),
    "projector": (RECORDS, ORGANIZATIONS, INSTALLATION, EVENTS, KEYS),
}
RIGHTS = [
    *(Right(user, TOPIC, name, "Write") for user, names in WRITES.items() for name in names),
    *(Right(user, TOPIC, name, "Read") for user, names in READS.items() for name in names),
    *(
        Right(user, TOPIC, name, operation)
        for user in WRITES
        for name in (RECORDS, ORGANIZATIONS, INSTALLATION, EVENTS, KEYS)
        for operation in ("Describe", "DescribeConfigs")
    ),
    Right("dialer", GROUP, DIALERS, "Read"),
]
PARTS = {"command-api": "api", "dialer": "dialer", "projector": "projector"}
CONTACTS = 1_000  # More than are called while all this happens; then the rest is hurried.
BACK_S_MAX = 10.0  # Source: issue 9.
TOLD_S_MAX = 5.0  # A ruling would be waited for 10 s.


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.NOTHING:
        _without("no brokers: needs Java and Maven")
    own = Cluster()
    try:
        own.start()
        asyncio.run(prepared(own))
        yield own
    finally:
        own.stop()


async def prepared(cluster: Cluster) -> None:
    """Make the topics as an administrator does, and give each user its rights."""
    log = KafkaLog(
        cluster.servers, 3, namespace=NAMESPACE, security=cluster.security("admin"),
        master_keys=KeyPlace(MASTER_KEY),
    )  # fmt: skip
    await log.open()
    await log.close()
    await ruled(cluster, give, *RIGHTS)


async def ruled(cluster: Cluster, how: Callable[..., object], *rights: Right) -> None:
    admin = cluster.kafka().admin()
    await admin.start()
    try:
        await how(admin, *rights)  # type: ignore[misc]  # give or take.
    finally:
        await admin.close()


def system_on(cluster: Cluster, folder: Path) -> System:
    system = System(
        folder, "parts", kafka=cluster.servers, namespace=NAMESPACE, partitions=3,
        kafka_watch_s=1, kafka_open_s=20, master_key=WRITTEN,
    )  # fmt: skip
    system.environment |= cluster.knobs("api")  # Of who looks at the log afterwards.
    for verb, user in PARTS.items():
        system[verb].environment |= cluster.knobs(user)
    return system


def ready(client: Client, url: str) -> httpx.Response:
    return client.once("GET", f"{url}/health/ready", timeout=20)


def until(true: Callable[[], bool], within_s: float) -> float:
    """Return how long it took to become true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, "not in time"
        time.sleep(0.05)
    return time.monotonic() - began


def command(client: Client, path: str) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = client.once(
        "POST", f"{client.commands_url}{path}", headers={"Idempotency-Key": uuid.uuid4().hex},
        timeout=30,
    )  # fmt: skip
    return answer, time.monotonic() - began


@pytest.mark.alone  # How soon it is back is promised.
def test_rights_come_and_go_and_brokers_die_and_a_campaign_ends_well(
    cluster: Cluster, tmp_path: Path
) -> None:
    system = system_on(cluster, tmp_path)
    with system, system.client() as client:
        pids = [process.pid for process in system]
        for verb in PARTS:
            until(lambda v=verb: ready(client, system[v].url).status_code == 200, 15)  # type: ignore[misc]
        campaign = client.create(CONTACTS, concurrent=5, calls_per_minute=600)
        path = f"{API}/{campaign}"
        client.start(campaign)
        client.wait_until(campaign, lambda found: handled(found) > 5)
        taken_from_the_command_api(cluster, system, client, path)
        taken_from_others(cluster, system, client)
        killed(cluster, client, campaign)
        client.hurry(campaign)
        client.wait_for(campaign, "completed", 90)
        report = audit(system, client)
        assert [process.pid for process in system if process.running] == pids
        print(report)
        print("longest silence", longest_silence_s(system), "s")
    report.assert_clean(rings=CONTACTS)


def taken_from_the_command_api(cluster: Cluster, system: System, client: Client, path: str) -> None:
    """Refused at once, with the truth of what takes effect; answered again without a restart."""
    right = Right("api", TOPIC, RECORDS, "Write")
    asyncio.run(ruled(cluster, take, right))
    refused = []

    def is_refused() -> bool:
        for verb in ("pause", "resume"):
            answer, took_s = command(client, f"{path}/{verb}")
            if answer.status_code == 503:
                refused.append((answer.json(), took_s))
        return bool(refused)

    until(is_refused, 20)
    said, took_s = refused[-1]
    assert said["may_still_take_effect"] is False, said
    assert took_s < TOLD_S_MAX
    until(lambda: ready(client, system.commands_url).status_code == 503, 10)
    troubles = ready(client, system.commands_url).text
    assert "the right is missing: Write" in troubles or "TopicAuthorizationFailed" in troubles
    assert ready(client, system["dialer"].url).status_code == 200, "it has its own rights"
    asyncio.run(ruled(cluster, give, right))
    until(lambda: command(client, f"{path}/pause")[0].status_code == 200, BACK_S_MAX)
    until(lambda: command(client, f"{path}/resume")[0].status_code == 200, BACK_S_MAX)
    until(lambda: ready(client, system.commands_url).status_code == 200, 15)


def taken_from_others(cluster: Cluster, system: System, client: Client) -> None:
    """Ready is red while a part lacks what it needs, and only that part's."""
    for verb, right, words in (
        ("dialer", Right("dialer", GROUP, DIALERS, "Read"), "dialgate-dialers"),
        ("dialer", Right("dialer", TOPIC, RECORDS, "Write"), "Write"),
        ("projector", Right("projector", TOPIC, EVENTS, "Write"), "Write"),
        ("projector", Right("projector", TOPIC, RECORDS, "Read"), "Read"),
    ):
        url = system[verb].url
        asyncio.run(ruled(cluster, take, right))
        until(lambda u=url, w=words: w in ready(client, u).text, 20)  # type: ignore[misc]
        assert ready(client, system.commands_url).status_code == 200
        asyncio.run(ruled(cluster, give, right))
        until(lambda u=url: ready(client, u).status_code == 200, 20)  # type: ignore[misc]


def killed(cluster: Cluster, client: Client, campaign: int) -> None:
    """One of three is not missed for long; without two nothing is taken, and nothing is lost."""
    first, second, _ = cluster.nodes
    first.kill()
    known = handled(client.progress(campaign))
    client.wait_until(campaign, lambda found: handled(found) > known + 10)
    first.start()
    first.kill()
    second.kill()
    answer, _ = command(client, f"{API}/{campaign}/pause")
    assert answer.status_code == 503
    for node in (first, second):
        node.spawn()
    for node in (first, second):
        node.await_answer()
    until(lambda: command(client, f"{API}/{campaign}/pause")[0].status_code in {200, 400}, 40)
    until(lambda: command(client, f"{API}/{campaign}/resume")[0].status_code in {200, 400}, 40)


def longest_silence_s(system: System) -> float:
    began = sorted(ring.began_at_ns for ring in rings_of(system.rings))
    return max(b - a for a, b in pairwise(began)) / 1e9


def test_without_a_right_to_the_keys_of_contacts_it_is_one_sentence(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The dialer's user may write campaigns' records and read keys; it may not forget a key."""
    system, read = system_on(cluster, tmp_path), Right("dialer", TOPIC, KEYS, "Read")
    with system, system.client() as client:
        whom = ("erase", "--yes", "--json", "--contact", f"{client.create(2)}/1")
        export = ("secrets", "export", str(tmp_path / "exported"))
        told = system.run(*whom, **cluster.knobs("dialer"))
        assert told.returncode == 1, "the log says so already"
        right = f"this client has no right to (Write on the topic {KEYS})"
        assert right in told.stderr.splitlines()[-1], told
        assert system.run(*whom).returncode == 0, "who has the right ends it"
        asyncio.run(ruled(cluster, take, read))

        def untold() -> bool:
            (tmp_path / "exported").unlink(missing_ok=True)
            told = system.run(*export, **cluster.knobs("dialer"))
            assert "Traceback" not in told.stderr, told
            if told.returncode == 0:
                return False
            right = f"this client has no right to (Read on the topic {KEYS})"
            assert told.returncode == 2, told
            assert right in told.stderr.splitlines()[-1], told
            return True

        until(untold, 20)
        asyncio.run(ruled(cluster, give, read))
        until(lambda: system.run(*export, **cluster.knobs("dialer")).returncode == 0, 20)


async def test_topics_are_made_to_survive_a_broker(cluster: Cluster) -> None:
    admin = cluster.kafka().admin()
    await admin.start()
    try:
        for topic in await admin.describe_topics([RECORDS, EVENTS, KEYS]):
            assert {len(one["replicas"]) for one in topic["partitions"]} == {3}
    finally:
        await admin.close()


def test_a_key_is_made_straight_on_the_log(cluster: Cluster, tmp_path: Path) -> None:
    """Each time it was read back before it was there: "others were always first"."""
    system = system_on(cluster, tmp_path)
    made = system.run(
        "keys", "create", "--json", "--name", "ops", **cluster.knobs("api"), DIALGATE_API_KEY=""
    )
    assert made.returncode == 0, made.stderr
    assert '"key":"dg_live_' in made.stdout
    listed = system.run("keys", "list", **cluster.knobs("api"), DIALGATE_API_KEY="")
    assert listed.stdout.count("active") == 1, "one record, one key"


def test_who_cannot_connect_learns_why_in_the_last_line(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.certificates is not None
    system = System(tmp_path, "up", kafka=cluster.servers, namespace=NAMESPACE, kafka_open_s=2)
    right = cluster.knobs("api")
    other = tmp_path / "other.pem"
    stranger, _ = cluster.certificates.signed("stranger")
    other.write_text(stranger.read_text())
    ca, password = "DIALGATE_KAFKA_SSL_CAFILE", "DIALGATE_KAFKA_SASL_PASSWORD"
    protocol, mechanism = "DIALGATE_KAFKA_SECURITY_PROTOCOL", "DIALGATE_KAFKA_SASL_MECHANISM"
    user = "DIALGATE_KAFKA_SASL_USERNAME"
    nothing, garbage = tmp_path / "none.pem", tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for knobs, status, words in (
        ({password: "wrong"}, 1, "SCRAM-SHA-512 as api"),
        ({ca: str(other)}, 1, "its issuer must be among " + str(other)),
        ({protocol: "SASL_PLAINTEXT", ca: ""}, 1, "SASL_PLAINTEXT"),
        ({mechanism: "SCRAM-SHA-256"}, 1, "SCRAM-SHA-256 as api"),
        ({protocol: "SASL_TLS"}, 2, protocol),
        ({mechanism: "SCRAM"}, 2, mechanism),
        ({user: ""}, 2, user),
        ({password: ""}, 2, password),
        ({ca: str(nothing)}, 2, str(nothing)),
        ({ca: str(garbage)}, 2, str(garbage)),
        ({"DIALGATE_KAFKA_SERVERS": "localhost"}, 2, "host:port"),
        ({f"{password}_FILE": str(nothing), password: ""}, 2, str(nothing)),
        ({f"{password}_FILE": str(garbage)}, 2, "found both"),
    ):
        environment = {**right, **knobs}
        for verb in (("up",), ("keys", "list")) if password in knobs else (("keys", "list"),):
            began = time.monotonic()
            ended = system.run(*verb, **environment, DIALGATE_API_KEY="")
            last = (ended.stderr.strip() or "nothing").splitlines()[-1]
            assert (ended.returncode, words in last) == (status, True), (knobs, verb, last)
            assert "Traceback" not in ended.stderr
            assert status == 1 or time.monotonic() - began < 30


def test_a_certificate_of_our_own_is_enough_of_a_name(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.certificates is not None
    pem, key = cluster.certificates.signed("operator")
    namespace = "m."
    own = Right("CN=operator", TOPIC, "*", "Write")
    rights = [
        own,
        *(Right("CN=operator", TOPIC, "*", name) for name in ("Read", "Create", "DescribeConfigs")),
    ]
    asyncio.run(ruled(cluster, give, *rights))
    system = System(tmp_path, "up", kafka=cluster.tls_servers, namespace=namespace, kafka_open_s=5)
    tls = {
        "DIALGATE_KAFKA_SECURITY_PROTOCOL": "SSL",
        "DIALGATE_KAFKA_SSL_CAFILE": str(cluster.certificates.ca),
        "DIALGATE_API_KEY": "",
    }
    mine = {
        "DIALGATE_KAFKA_SSL_CERTFILE": str(pem),
        "DIALGATE_KAFKA_SSL_KEYFILE": str(key),
    }
    without = system.run("keys", "list", **tls)
    assert without.returncode == 1
    assert "none is configured" in without.stderr.strip().splitlines()[-1], without.stderr
    made = system.run("keys", "create", "--json", **tls, **mine)
    assert made.returncode == 0, made.stderr
    mixed = system.run(
        "keys",
        "list",
        **tls,
        **{**mine, "DIALGATE_KAFKA_SSL_KEYFILE": str(cluster.certificates.ca)},
    )
    assert (mixed.returncode, str(pem) in mixed.stderr) == (2, True), mixed.stderr


assert CAMPAIGN_RECORDS in RECORDS, "the names are the catalogue's"


def test_a_verb_without_the_right_to_read_says_so_in_one_sentence(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The dialer's user may not read the organizations' records, and all others may."""
    system = System(
        tmp_path, "up", kafka=cluster.servers, namespace=NAMESPACE, partitions=3, kafka_open_s=5,
        master_key=WRITTEN,
    )  # fmt: skip
    out = str(tmp_path / "exported")
    made = system.run("keys", "create", **cluster.knobs("api"), DIALGATE_API_KEY="")
    assert made.returncode == 0, made.stderr  # Something to read.
    key, seals = tmp_path / "key.pem", tmp_path / "seals"
    assert system.run("seal", "--new-key", f"{key}").returncode == 0
    sealed = ("seal", "--key", f"{key}", "--out", f"{seals}")
    for words in (("log",), ("replay",), ("verify",), ("export", out), sealed):
        told = system.run(*words, **cluster.knobs("dialer"))
        assert told.returncode == 2, told
        assert "Traceback" not in told.stderr, told
        line = told.stderr.splitlines()[-1]  # The client's own warnings may stand before.
        assert "this client has no right to (Read on the topic" in line, line
        assert ORGANIZATIONS in line, line
    assert not Path(out).exists() and not seals.exists()
    for user in ("projector", "api"):
        told = system.run("verify", **cluster.knobs(user))
        assert told.returncode in (0, 1), told
    told = system.run("log", "--campaign", "1000", **cluster.knobs("dialer"))
    assert "expected a campaign of this log, found 1000" in told.stderr, "these it may read"
