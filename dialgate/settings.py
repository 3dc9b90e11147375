"""The knobs of a process, and the sentences about DIALGATE_* variables that are wrong."""

import difflib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from campaigns.domain.api_keys import KEY_CHARS_MIN, KEY_CHARS_MIN_LOOPBACK, weaknesses
from campaigns.process.durations import Seconds
from campaigns.process.settings import EnvironmentSettings, secrets
from campaigns.secrets.secret_settings import SecretSettings
from campaigns.webhooks.webhook_settings import WebhookSettings
from command_api.settings import CommandApiSettings
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.settings import DialerSettings
from projector.settings import ProjectorSettings

PREFIX = "DIALGATE_"
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class ProcessSettings(EnvironmentSettings):
    """Where a process listens, where its files are, which log it is on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, allow_inf_nan=False)

    host: str = "127.0.0.1"  # The address to listen on.
    port: int = Field(default=8000, ge=0, le=65535)  # 0: any free one.
    data_dir: Path = Path("data")  # Log, stores, carrier: all files of a process.
    kafka_servers: str | None = None  # Comma-separated host:port. None: the embedded log.
    partitions: PositiveInt | None = None  # Of campaign.records. None: 12 on Kafka, 1 embedded.
    kafka_namespace: str = ""  # Put before each topic's name.
    kafka_replication: PositiveInt | None = None  # Of topics that are made. None: up to 3.
    kafka_security_protocol: Protocol | None = None  # SASL_SSL, SSL, … None: PLAINTEXT.
    kafka_sasl_mechanism: Mechanism | None = None  # SCRAM-SHA-512, PLAIN, OAUTHBEARER, …
    kafka_sasl_username: str | None = None  # With PLAIN and SCRAM.
    kafka_sasl_password: SecretStr | None = None  # With PLAIN and SCRAM.
    kafka_ssl_cafile: Path | None = None  # PEM of the authority behind the brokers' certificates.
    kafka_ssl_certfile: Path | None = None  # PEM of a certificate of our own, for mutual TLS.
    kafka_ssl_keyfile: Path | None = None  # PEM of its key, without a password.
    kafka_oauth_token_file: Path | None = None  # OAUTHBEARER: a token that others renew.
    kafka_oauth_url: str | None = None  # OAUTHBEARER: the endpoint for client credentials.
    kafka_oauth_client_id: str | None = None  # With a URL.
    kafka_oauth_client_secret: SecretStr | None = None  # With a URL.
    kafka_oauth_scope: str | None = None  # With a URL, where it wants one.
    kafka_open_s: Seconds = 30.0  # How long a start waits for the brokers.
    kafka_watch_s: Seconds = 15.0  # How often rights, replicas, settings are looked at.
    kafka_ends_s: Seconds = 5.0  # How long the log's end is waited for.
    disk_free_min_mb: PositiveInt = 64  # Less free space in the data directory: not ready.
    ready_s: Seconds = 2.0  # How long a readiness check may take.
    head_s: Seconds = 30.0  # How long a request's line and headers may take to come.
    body_s: Seconds = 900.0  # How long a request's body may take.
    body_idle_s: Seconds = 20.0  # How long nothing of a request's body may come.
    answer_idle_s: Seconds = 20.0  # How long a client may take nothing of its answer.
    idle_s: Seconds = 5.0  # How long a connection may rest between two requests.
    connections_max: PositiveInt = 2048  # Of clients, at once; half of them WebSockets at most.
    descriptors_kept: PositiveInt = 128  # Open files that connections leave to logs and stores.
    unsent_max_mb: PositiveInt = 64  # Answers that wait for their clients to take them, MiB.
    drain_s: Seconds = 5.0  # How long a stopping process waits for open requests.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"  # Of the structured logs.
    log_json: bool = True  # A JSON object a line; false: text for people.

    @model_validator(mode="after")
    def _speaks_to_kafka(self) -> "ProcessSettings":
        """Refuse settings from which no Kafka client can be built."""
        if found := [*_addresses(self.kafka_servers), *_security(self)]:
            raise ValueError("; ".join(found))
        return self


def _addresses(servers: str | None) -> Iterator[str]:
    for server in servers.split(",") if servers else ():
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            yield f"DIALGATE_KAFKA_SERVERS: expected host:port[,host:port], found {server!r}"


def _security(of: ProcessSettings) -> Iterator[str]:
    named, protocol = "DIALGATE_KAFKA_", of.kafka_security_protocol or "PLAINTEXT"
    sasl, tls, mechanism = protocol.startswith("SASL"), protocol.endswith("SSL"), None
    if sasl and (mechanism := of.kafka_sasl_mechanism) is None:
        yield f"{named}SASL_MECHANISM: expected one with {protocol}, found none"
    if not sasl and of.kafka_sasl_mechanism:
        yield f"{named}SECURITY_PROTOCOL: expected SASL_SSL with a mechanism, found {protocol}"
    if mechanism == "OAUTHBEARER":
        whole = of.kafka_oauth_url and of.kafka_oauth_client_id and of.kafka_oauth_client_secret
        if bool(of.kafka_oauth_token_file) == bool(whole):
            yield f"{named}OAUTH_…: expected a TOKEN_FILE, or URL, CLIENT_ID and CLIENT_SECRET"
    elif mechanism:
        for name, given in (("NAME", of.kafka_sasl_username), ("PASSWORD", of.kafka_sasl_password)):
            what = f"{named}SASL_{'USER' if name == 'NAME' else ''}{name}"
            if not given:
                yield f"{what}: expected one with {mechanism}, found none"
    if not tls:
        for name in ("cafile", "certfile", "keyfile"):
            if getattr(of, f"kafka_ssl_{name}"):
                yield f"{named}SSL_{name.upper()}: of no use with {protocol}"
    if bool(of.kafka_ssl_certfile) < bool(of.kafka_ssl_keyfile):
        yield f"{named}SSL_KEYFILE: expected {named}SSL_CERTFILE too"


ALL: tuple[type[BaseSettings], ...] = (
    ProcessSettings,
    CommandApiSettings,
    DialerSettings,
    CarrierSettings,
    ProjectorSettings,
    WebhookSettings,
    SecretSettings,
)
SETTINGS = {settings.__name__: settings.model_config["env_prefix"] for settings in ALL}
TEST_KNOBS = frozenset({"DIALGATE_REQUIRE_KAFKA"})  # Read by the tests alone.


def knobs() -> Iterator[tuple[str, type[BaseSettings], str]]:
    """Yield every knob: its variable, its settings class, its field."""
    for settings in ALL:
        for name in settings.model_fields:
            yield f"{settings.model_config['env_prefix']}{name}".upper(), settings, name


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each DIALGATE_* variable that is no knob, with the nearest name.

    pydantic-settings ignores unknown variables, whatever `extra` says.
    """
    known = {name for name, _, _ in knobs()} | {
        f"{settings.model_config['env_prefix']}{name}_FILE".upper()
        for settings in ALL
        for name in secrets(settings)
    }
    sentences = []
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX) or name.upper() in known | TEST_KNOBS:
            continue
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
        sentences.append(f"{name} is no setting; the nearest is {near[0]}")
    return sentences


def weak_keys(settings: ProcessSettings, own: CommandApiSettings) -> list[str]:
    """Return a sentence for each key of the environment that is too weak for the address."""
    chars_min = KEY_CHARS_MIN_LOOPBACK if _loopback(settings.host) else KEY_CHARS_MIN
    return weaknesses(_open(own.api_key), _open(own.api_keys), chars_min)


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # A name, which may resolve to anything.
        return False


def misfits(invalid: ValidationError) -> list[str]:
    """Return a sentence for each setting that does not fit.

    The value is quoted only where a number, a boolean or a choice is expected: other values may be
    secrets.
    """
    prefix = SETTINGS.get(invalid.title, PREFIX)
    sentences = []
    for error in invalid.errors():
        name = f"{prefix}{'_'.join(map(str, error['loc']))}".upper() if error["loc"] else ""
        kind, message = error["type"], error["msg"].removeprefix("Value error, ")
        if kind in _EXPECTED or kind.startswith(("greater_than", "less_than")):
            expected = message.removeprefix("Input should be ")
            if kind.startswith(("greater_than", "less_than")):
                expected = f"a number {expected}"
            message = f"expected {_EXPECTED.get(kind) or expected}, found {error['input']!r}"
        if not name and PREFIX not in message:
            name = f"{prefix}…"  # A check of several settings together.
        sentences.append(f"{name}: {message}" if name else message)
    return sentences


_EXPECTED = {  # By pydantic's types of errors. None: as pydantic says it.
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "literal_error": None,
}
