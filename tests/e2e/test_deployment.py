"""compose.yaml, the image and the gateway fit the product, and the gateway works."""

import http.server
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
import yaml
from pydantic_settings import BaseSettings
from uvicorn import Config

from command_api.settings import CommandApiSettings
from dialer.settings import LEASE_S_MAX, DialerSettings
from dialgate.__main__ import cli
from dialgate.settings import PREFIX, knobs
from projector.settings import ProjectorSettings
from tests.e2e.gateway import CADDYFILE, Gateway, adapted, caddy, validated
from tests.support import broker
from tests.support.auditor import audit
from tests.support.client import Client, handled
from tests.support.system import KEY, ROOT, Process, System

Json = dict[str, Any]  # Any: YAML and JSON.

COMPOSE: Json = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Json = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
PINNED = re.compile(r"[a-z./]+:\d+(\.\d+){1,2}(-[a-z]+)*")  # A version to its last part.
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
ENDS_WITHIN_S = 60.0  # Far above what the end of a server's process takes.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BARRIER_S_MAX = LEASE_S_MAX + DialerSettings().carrier_timeout_s


def environment_of(service: Json) -> dict[str, str]:
    """Return a service's environment, with made-up values for what .env has to give."""
    return {
        name: VARIABLE.sub(lambda v: v[3] if v[2] == "-" else "from-env", value)
        for name, value in service.get("environment", {}).items()
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_broker_is_the_one_that_the_tests_use() -> None:
    assert SERVICES["kafka"]["image"] == broker.IMAGE


def test_all_parts_are_there_from_one_image_and_each_command_exists() -> None:
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    verbs = {name: service["command"] for name, service in OURS.items()}
    assert {verb for (verb,) in verbs.values()} <= group.commands.keys()
    assert verbs == {part: [part] for part in ("command-api", "projector", "carrier", "dialer")}
    assert len({(service["image"], service["build"]) for service in OURS.values()}) == 1


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_a_knob_and_every_value_fits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, tuple[type[BaseSettings], str]] = {n: (s, f) for n, s, f in knobs()}
    given = {n: v for n, v in environment_of(OURS[name]).items() if n.startswith(PREFIX)}
    assert given.keys() <= known.keys()
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    for settings, field in (known[variable] for variable in given):
        assert getattr(settings(), field) is not None or not os.environ[f"{PREFIX}{field}".upper()]


def test_the_services_that_answer_clients_have_the_same_keys() -> None:
    keys = [
        {n: v for n, v in OURS[name]["environment"].items() if "API_KEY" in n}
        for name in ("command-api", "projector")
    ]
    assert keys[0] == keys[1] == {
        "DIALGATE_API_KEY": "${DIALGATE_API_KEY:-}",  # Empty: one is made and shown once.
        "DIALGATE_API_KEYS": "${DIALGATE_API_KEYS:-}",
    }  # fmt: skip


def test_no_secret_stands_in_the_files() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|API_KEY|SECRET", name):
                assert value.startswith("${")
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_checked_and_waited_for(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD" and len(check["test"]) > 1
    assert check.keys() >= {"interval", "timeout", "retries", "start_period"}
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert how == {"condition": "service_healthy"}


def test_only_the_gateway_is_reached_from_outside_and_only_on_loopback() -> None:
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published == {"gateway": ["127.0.0.1:${GATEWAY_PORT:-8000}:8080"]}
    assert not any("network_mode" in service for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_no_privilege_to_win_and_a_bound_on_all_it_takes(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "gateway" else [])
    assert service.keys() >= {"mem_limit", "pids_limit", "cpus", "restart"}
    # The broker's start script writes its configuration into its root.
    assert service.get("read_only", False) is (name != "kafka")
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_no_service_reaches_what_it_does_not_need() -> None:
    """Any container could write the log: it had no password, and all were on one network."""
    on = {name: set(service["networks"]) for name, service in SERVICES.items()}
    members = {
        network: {name for name in on if network in on[name]} for network in COMPOSE["networks"]
    }
    assert members == {
        "edge": {"gateway", "command-api", "projector"},
        "log": {"kafka", "command-api", "projector", "dialer"},
        "views": {"postgres", "projector"},
        "calls": {"dialer", "carrier"},
    }
    inside = {
        name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")
    }
    assert inside == {"log", "views", "calls"}


def test_the_broker_asks_for_a_user_and_a_password() -> None:
    broker_has = environment_of(SERVICES["kafka"])
    listeners = dict(one.split("://") for one in broker_has["KAFKA_LISTENERS"].split(","))
    protocols = dict(
        one.split(":") for one in broker_has["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    for name, address in listeners.items():
        inside = address.startswith("127.0.0.1:")
        assert protocols[name] == ("PLAINTEXT" if inside else "SASL_PLAINTEXT"), name
    users = broker_has["KAFKA_LISTENER_NAME_CLIENTS_PLAIN_SASL_JAAS_CONFIG"]
    for name in ("command-api", "projector", "dialer"):
        given = environment_of(OURS[name])
        user, password = (given[f"DIALGATE_KAFKA_SASL_{one}"] for one in ("USERNAME", "PASSWORD"))
        assert f'user_{user}="{password}"' in users
    assert not [name for name in OURS["carrier"].get("environment", {}) if "KAFKA" in name]


def pins(text: str) -> dict[str, str]:
    """Return name → version of what a file of requirements pins."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_installed_is_what_was_hashed(file: str) -> None:
    """`make hashes` rewrites them when constraints.txt has changed."""
    text = (ROOT / file).read_text()
    pinned, constrained = pins(text), pins((ROOT / "constraints.txt").read_text())
    stale = {n: v for n, v in pinned.items() if constrained.get(n, v) != v}
    assert not stale, "make hashes"
    if file == "requirements-dev.txt":
        assert constrained.keys() <= pinned.keys(), "make hashes"
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block
    wanted = re.findall(
        r'^    "([a-z0-9-]+)[\[>=]', _pyproject().partition("[project.opt")[0], re.MULTILINE
    )
    assert {*wanted, "hatchling"} <= pinned.keys()
    assert f"-r {file}" in (ROOT / "Makefile").read_text()


def test_what_must_survive_is_in_a_volume_and_what_is_scaled_shares_none() -> None:
    mounts = {
        name: [volume.split(":")[0] for volume in service.get("volumes", ())]
        for name, service in SERVICES.items()
    }
    named = [source for sources in mounts.values() for source in sources if "/" not in source]
    assert sorted(named) == sorted(COMPOSE["volumes"]), "each is one service's own"
    assert mounts["kafka"] == ["kafka"]
    assert mounts["carrier"] == ["carrier"]
    assert mounts["command-api"] == ["/data"], "a second instance would find the first one's lock"
    log_dirs = SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]
    assert SERVICES["kafka"]["volumes"] == [f"kafka:{log_dirs}"]
    assert SERVICES["carrier"]["volumes"] == [f"carrier:{image_environment()['DIALGATE_DATA_DIR']}"]


def test_addresses_name_services_that_exist() -> None:
    named = set()
    for service in SERVICES.values():
        for value in environment_of(service).values():
            named |= set(re.findall(r"([a-z-]+):(?:8000|9092)", value))
            named |= set(re.findall(r"@([a-z-]+)/", value))
    assert named == {"kafka", "postgres", "command-api", "projector", "carrier", "dialer"}


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(DIALGATE_\w+)=(\S+)", DOCKERFILE))


def test_the_image_is_pinned_and_runs_the_verb_as_nobody_special() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.13\.\d+-slim-[a-z]+", bases[0])
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert final.index("USER") < final.index('ENTRYPOINT ["dialgate"]') < final.index("CMD")
    assert image_environment().keys() <= {name for name, _, _ in knobs()}
    assert "--require-hashes --requirement requirements.txt" in DOCKERFILE
    assert "--no-deps --no-build-isolation ." in DOCKERFILE, "and nothing is fetched besides"


def test_the_image_is_made_of_files_that_exist_and_of_no_others() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    wanted = {source for line in copied for source in line.split()}
    assert all((ROOT / source).exists() for source in wanted)
    assert IGNORED[1] == "*", "what is not named stays out: .git, .venv, data, .env"
    assert {line[1:] for line in IGNORED if line.startswith("!")} == wanted
    packages = re.findall(
        r'^    "((?:shared|services|dialgate)[\w/-]*)"', _pyproject(), re.MULTILINE
    )
    assert packages
    assert all(any(p == w or p.startswith(f"{w}/") for w in wanted) for p in packages)


def _pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text()


# -- the gateway -----------------------------------------------------------------------------------


@pytest.fixture
def _caddy() -> None:
    """Skip loudly without Caddy, or fail where it is required (DIALGATE_REQUIRE_KAFKA or CI)."""
    if caddy() is None:
        reason = "no caddy: install it from the system's packages"
        if broker.required(os.environ):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


needs_caddy = pytest.mark.usefixtures("_caddy")


@needs_caddy
def test_caddy_finds_the_file_valid() -> None:
    said = validated()
    assert said.returncode == 0, said.stderr


def test_every_address_in_the_caddyfile_has_a_default_or_is_set() -> None:
    placeholders = dict(re.findall(r"\{\$(\w+):([^}]+)\}", CADDYFILE.read_text()))
    assert len(re.findall(r"\{\$", CADDYFILE.read_text())) == len(placeholders)
    for name, value in environment_of(SERVICES["gateway"]).items():
        assert placeholders[name] == value


@needs_caddy
def test_the_gateway_waits_longer_than_any_pause_and_keeps_no_stale_connection() -> None:
    handlers = list(_handlers(adapted(), "reverse_proxy"))
    assert len(handlers) == 2
    settings = CommandApiSettings()
    pause_s = BARRIER_S_MAX + settings.tries_s + settings.ruling_s + 2 * settings.command_catch_up_s
    for handler in handlers:
        transport = handler["transport"]
        assert transport["response_header_timeout"] / 1e9 > max(
            pause_s, ProjectorSettings().fresh_s
        )
        idle_s = transport["keep_alive"]["idle_timeout"] / 1e9
        assert idle_s < Config(app="").timeout_keep_alive
        # A stream of events is silent for up to 15 s at a time, and lasts as long as its client.
        assert not {"read_timeout", "write_timeout"} & transport.keys()
        assert not {"stream_timeout", "request_buffers", "response_buffers"} & handler.keys()
    for server in adapted()["apps"]["http"]["servers"].values():
        assert "write_timeout" not in server


def _handlers(found: Any, name: str) -> Iterator[Json]:
    if isinstance(found, dict):
        if found.get("handler") == name:
            yield found
        for inner in found.values():
            yield from _handlers(inner, name)
    elif isinstance(found, list):
        for inner in found:
            yield from _handlers(inner, name)


@contextmanager
def echo(name: str) -> Iterator[str]:
    """Serve an upstream that answers every request with its name."""

    def answer(self: http.server.BaseHTTPRequestHandler) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("X-Answered-By", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    methods = {f"do_{method}": answer for method in METHODS}
    silent = {"log_message": lambda *_: None}
    handler = type("Echo", (http.server.BaseHTTPRequestHandler,), {**methods, **silent})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@needs_caddy
def test_three_rules_say_who_answers(tmp_path: Path) -> None:
    campaign = "/api/v1/campaigns/1"
    with (
        echo("command API") as commands,
        echo("projector") as queries,
        Gateway(commands, queries, tmp_path) as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False) as client,
    ):

        def answered_by(method: str, path: str) -> str | None:
            answer = client.request(method, path, content=b"{}" if method == "POST" else None)
            assert answer.status_code == 200
            found: str | None = answer.headers.get("X-Answered-By")
            return found

        for method in METHODS[2:]:
            assert answered_by(method, campaign) == "command API"
            assert answered_by(method, "/ws/campaigns/1") == "projector"
            assert answered_by(method, "/other") == "command API"
            for path in ("/sign-in", "/sign-out"):
                assert answered_by(method, path) == "projector"
        for method in ("GET", "HEAD"):
            pages = ("/", "/campaigns/1", "/campaigns/live", "/static/dialgate.css", "/sign-in")
            for path in (campaign, f"{campaign}?a=/ws/", "/metric", "/ws/1", *pages):
                assert answered_by(method, path) == "projector"


NOT_PUBLIC = (
    "/metrics",
    "/health/live",
    "/health/ready",
    "/docs",
    "/openapi.json",
    "/asyncapi.json",
)
SPELLINGS = (
    "/metrics/", "//metrics", "/%6detrics", "/METRICS", "/metrics?a=b", "/./metrics",
    "/ws/../metrics", "/health", "/docs/", "/openapi.json/", "/health/../metrics", "/%2e/docs",
)  # fmt: skip


def raw_status(url: str, method: str, path: str) -> tuple[int, bytes]:
    """Send a path as it is spelt: clients of HTTP tidy it up before they send it."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        line.sendall(head.encode())
        found = b"".join(iter(lambda: line.recv(65_536), b""))
    return int(found.split(b" ")[1]), found


@needs_caddy
def test_metrics_health_and_documents_are_not_public(tmp_path: Path) -> None:
    """Positions, counts and start times of all organizations were there for strangers."""
    with (
        echo("command API") as commands,
        echo("projector") as queries,
        Gateway(commands, queries, tmp_path) as gateway,
    ):
        for method in METHODS:
            for path in NOT_PUBLIC:
                status, found = raw_status(gateway.url, method, path)
                assert status == 404, (method, path, found)
                assert b"X-Answered-By" not in found
        for path in SPELLINGS:
            status, found = raw_status(gateway.url, "GET", path)
            assert status == 404, (path, found)
        assert raw_status(gateway.url, "GET", "/api/v1/campaigns")[0] == 200, "the API is"


@needs_caddy
def test_what_is_asked_for_is_public_and_nothing_else(tmp_path: Path) -> None:
    with (
        echo("command API") as commands,
        echo("projector") as queries,
        Gateway(commands, queries, tmp_path, public_paths="/docs /docs/* /openapi.json") as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False) as client,
    ):
        for path in ("/docs", "/openapi.json"):
            assert client.get(path).headers["X-Answered-By"] == "projector"
        for path in ("/metrics", "/health/ready"):
            assert client.get(path).status_code == 404


@needs_caddy
def test_the_gateway_speaks_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    """As with a public name, except that Caddy's own authority signs the certificate."""
    with (
        echo("command API") as commands,
        echo("projector") as queries,
        Gateway(
            commands, queries, tmp_path, site="https://localhost", tls="tls internal"
        ) as gateway,
    ):
        trusted = ssl.create_default_context(cafile=str(gateway.authority))
        with httpx.Client(base_url=gateway.url, verify=trusted, trust_env=False) as client:
            answer = client.post("/api/v1/campaigns", content=b"{}")
            assert answer.headers["X-Answered-By"] == "command API"
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "Server" not in answer.headers or "Caddy" not in answer.headers["Server"]
            assert client.get("/metrics").status_code == 404
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(gateway.url, trust_env=False, verify=ssl.create_default_context())


@needs_caddy
def test_a_command_is_sent_once_whatever_becomes_of_it(tmp_path: Path) -> None:
    """An upstream that takes the request and closes: the answer says that its effect is unknown."""
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server, echo("projector") as queries:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return  # The test is over.
                with connection:
                    taken.append(connection.recv(65536))

        threading.Thread(target=hang_up, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with Gateway(address, queries, tmp_path) as gateway:
            answer = httpx.post(
                f"{gateway.url}/api/v1/campaigns/1/pause", json={"reason": "x"}, trust_env=False
            )
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["may_still_take_effect"] is True
    assert len(taken) == 1


@needs_caddy
@pytest.mark.e2e
@pytest.mark.kafka
def test_a_campaign_runs_through_the_gateway(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    """Create, start, pause, resume, done: each answer is seen by the next request at once."""
    system = System(tmp_path, "parts", kafka=kafka_servers, namespace=namespace)
    with (
        system,
        Gateway(system.commands_url, system.queries_url, tmp_path) as gateway,
        Client(gateway.url, gateway.url, KEY) as client,
    ):
        campaign = client.create(200, concurrent=10)
        assert client.status(campaign) == "draft"
        client.start(campaign)
        assert client.status(campaign) == "running"
        client.wait_until(campaign, lambda found: handled(found) > 20)
        for _ in range(3):
            paused = client.pause(campaign)
            assert paused and paused["message"] == "Campaign paused successfully"
            assert client.status(campaign) == "paused"
            time.sleep(0.3)  # A silence long enough for a late ring to be heard.
            assert client.status(campaign) == "paused"
            client.resume(campaign)
            assert client.status(campaign) == "running"
        client.wait_for(campaign, "completed")
        assert client.once("GET", f"{gateway.url}/metrics").status_code == 404
        campaigns = f"{gateway.url}/api/v1/campaigns"
        assert client.once("GET", f"{campaigns}/{campaign + 999}").status_code == 404
        assert client.once("POST", f"{campaigns}/{campaign}/pause").status_code == 400
        strangers = httpx.post(f"{campaigns}/{campaign}/pause", trust_env=False)
        assert strangers.status_code == 401
        report = audit(system, client)
    report.assert_clean(rings=200, pauses=3)
    assert report.rings_between > 0, "calls go on between pauses"


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_carrier_ends_well_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    alone = Process("carrier", tmp_path, System(tmp_path).environment).start()
    os.kill(alone.pid, number)
    assert alone.wait() == 0, alone.output()


@contextmanager
def following(gateway: Gateway, **asked: str) -> Iterator[Iterator[str]]:
    """Yield the lines of the organization's events, as they come through the gateway."""
    url, limit = f"{gateway.url}/api/v1/events", httpx.Timeout(30.0)
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "text/event-stream"}
    with (
        httpx.Client(headers=headers, timeout=limit, trust_env=False) as client,
        client.stream("GET", url, params=asked) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield answer.iter_lines()


@needs_caddy
@pytest.mark.e2e
def test_a_service_that_restarts_is_waited_for_and_a_silent_stream_of_events_lasts(
    tmp_path: Path,
) -> None:
    system = System(tmp_path, "parts")
    with (
        system,
        Gateway(system.commands_url, system.queries_url, tmp_path) as gateway,
        Client(gateway.url, gateway.url, KEY) as client,
        following(gateway, type="campaign-completed") as lines,
    ):
        assert next(lines) == "retry: 1000", "before there is an event: nothing is held back"
        campaign = client.create(5)
        system["command-api"].kill9()
        system["command-api"].spawn()
        client.start(campaign)  # Sent before it serves.
        client.wait_for(campaign, "completed")
        assert next(line for line in lines if line.startswith("data: ")), "the stream is open still"
        system["projector"].kill9()
        # Its end comes through, as an end or a break; silence would be neither.
        within_s = time.monotonic() + ENDS_WITHIN_S  # A heart beats every 15 s: no read is long.
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):
            for _ in lines:
                assert time.monotonic() < within_s, "a stream whose server died goes on"
        down = client.once("GET", f"{gateway.url}/api/v1/campaigns/{campaign}")
        assert (down.status_code, down.headers["Retry-After"]) == (503, "1")
