"""Which log a process is on, as its settings say. Kafka's client is imported where it is used."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from campaigns.log import EventLog
from campaigns.log_sqlite import SqliteLog
from dialgate.settings import ProcessSettings

if TYPE_CHECKING:
    from campaigns.log_kafka import KafkaLog

KAFKA_PARTITIONS = 12
EMBEDDED_PARTITIONS = 1
LOG_FILE = "log.db"  # The embedded log, in the data directory.


def make_log(settings: ProcessSettings, *, exclusive: bool, read_only: bool = False) -> EventLog:
    """Return the log, not open yet. `exclusive`: this process holds every part's lock."""
    if settings.kafka_servers:
        return make_kafka_log(settings, read_only=read_only)
    asked = settings.partitions or EMBEDDED_PARTITIONS
    return SqliteLog(
        settings.data_dir / LOG_FILE,
        None if read_only else asked,
        exclusive=exclusive,
        read_only=read_only,
    )


def make_kafka_log(settings: ProcessSettings, *, read_only: bool = False) -> "KafkaLog":
    """Return the log on Kafka, not open yet."""
    from campaigns.log_kafka import KafkaLog

    assert settings.kafka_servers, "only with servers"
    return KafkaLog(
        settings.kafka_servers,
        settings.partitions or KAFKA_PARTITIONS,
        namespace=settings.kafka_namespace,
        replication=settings.kafka_replication,
        security=security(settings),
        read_only=read_only,
        open_s=settings.kafka_open_s,
        ends_s=settings.kafka_ends_s,
    )


def security(settings: ProcessSettings) -> Mapping[str, str]:
    """Return what the Kafka clients need to know of TLS and SASL; {} for neither."""
    given = {
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": settings.kafka_sasl_password
        and settings.kafka_sasl_password.get_secret_value(),
        "ssl_cafile": settings.kafka_ssl_cafile and str(settings.kafka_ssl_cafile),
    }
    return {name: value for name, value in given.items() if value}
