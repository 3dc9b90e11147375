"""Builds the log that the settings name, and finds the keys of what is sealed in it.

Kafka's client is imported only where it is used.
"""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from campaigns.log.port import EventLog
from campaigns.process.data_dir import lock
from campaigns.secrets.key_place import KEY_FILE, KeyPlace
from campaigns.secrets.key_text import keys_of
from campaigns.secrets.secret_settings import SecretSettings
from campaigns.sqlite.sqlite_log import SqliteLog
from dialgate.settings import ProcessSettings

if TYPE_CHECKING:
    from aiokafka.abc import AbstractTokenProvider

    from campaigns.kafka.kafka_log import KafkaLog
    from campaigns.kafka.security import Security

KAFKA_PARTITIONS = 12
EMBEDDED_PARTITIONS = 1
LOG_FILE = "log.db"  # The embedded log, in the data directory.


def make_log(settings: ProcessSettings, *, exclusive: bool, read_only: bool = False) -> EventLog:
    """Return the log, not open yet. `exclusive`: this process holds the locks of all parts."""
    if settings.kafka_servers:
        return make_kafka_log(settings, read_only=read_only)
    asked = settings.partitions or EMBEDDED_PARTITIONS
    return SqliteLog(
        settings.data_dir / LOG_FILE,
        None if read_only else asked,
        exclusive=exclusive,
        read_only=read_only,
        master_keys=master_keys(settings),
    )


def make_kafka_log(
    settings: ProcessSettings, *, read_only: bool = False, importing: bool = False
) -> "KafkaLog":
    """Return the log on Kafka, not open yet. `importing`: it may be half imported."""
    from campaigns.kafka.kafka_log import KafkaLog

    assert settings.kafka_servers, "only with servers"
    sealed_by = master_keys(settings)
    return KafkaLog(
        settings.kafka_servers,
        settings.partitions or KAFKA_PARTITIONS,
        namespace=settings.kafka_namespace,
        replication=settings.kafka_replication,
        watch_s=settings.kafka_watch_s,
        security=security(settings),
        read_only=read_only,
        importing=importing,
        open_s=settings.kafka_open_s,
        ends_s=settings.kafka_ends_s,
        master_keys=sealed_by if sealed_by.given else None,
    )


def security(settings: ProcessSettings) -> "Security":
    """Return the TLS and SASL options of Kafka clients.

    Raises:
        OSError: a file cannot be read, or is not what it should be.

    """
    from campaigns.kafka.security import ClientCredentials, Security, TokenFile

    tokens: AbstractTokenProvider | None = None
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        if settings.kafka_oauth_token_file is not None:
            tokens = TokenFile(settings.kafka_oauth_token_file)
        else:
            tokens = ClientCredentials(
                str(settings.kafka_oauth_url),
                str(settings.kafka_oauth_client_id),
                _open(settings.kafka_oauth_client_secret) or "",
                settings.kafka_oauth_scope,
            )
    found = Security(
        settings.kafka_security_protocol or "PLAINTEXT",
        settings.kafka_sasl_mechanism,
        settings.kafka_sasl_username,
        _open(settings.kafka_sasl_password),
        settings.kafka_ssl_cafile,
        settings.kafka_ssl_certfile,
        settings.kafka_ssl_keyfile,
        tokens,
    )
    found.options()  # Fails now rather than on the first connection.
    return found


def master_keys(settings: ProcessSettings) -> KeyPlace:
    """Return where the keys are that seal secrets: by themselves beside the embedded log alone."""
    given = SecretSettings().master_key
    embedded = not settings.kafka_servers
    return KeyPlace.of(
        keys_of(given.get_secret_value()) if given else (),
        settings.data_dir / KEY_FILE if embedded else None,
    )


def lock_part(settings: ProcessSettings, part: str) -> None:
    """Take a part's lock in the data directory.

    Raises:
        PartRunningError: another process runs it on this data directory.
        OSError: the data directory cannot be used.

    """
    try:
        lock(settings.data_dir, part)
    except OSError as exc:
        raise OSError(
            f"DIALGATE_DATA_DIR: expected a directory that this process may write to, found"
            f" {settings.data_dir}: {exc.strerror or exc}"
        ) from exc


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
