"""Makes the topics of the catalogue on first start, and checks those that exist."""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from campaigns.errors import LogUnavailableError, TopicMisfitError
from campaigns.kafka_clients import MESSAGE_BYTES_MAX

# What a log must be: nothing in it is ever thrown away, and nothing acknowledged is.
LASTING = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
}
_SETTLE_S = 0.05  # A topic that was just made is not known everywhere at once.


async def make_and_check(
    admin: AIOKafkaAdminClient, counts: Mapping[str, int], replication: int
) -> None:
    """Make what is missing, and check what is there. `counts`: partitions by topic name.

    Raises:
        TopicMisfitError: a topic has other partitions, or would lose records.
        KafkaError: the cluster did not answer, or cannot make them now.

    """
    while missing := await _missing(admin, counts):
        await _make(admin, {name: counts[name] for name in missing}, replication)
        await asyncio.sleep(_SETTLE_S)
    await _check_settings(admin, counts)


async def check_there(admin: AIOKafkaAdminClient, counts: Mapping[str, int]) -> None:
    """Check for a reader that the topics are there: it makes none, and may not see settings.

    Raises:
        LogUnavailableError: nobody has made them yet, or this reader may not see them.
        TopicMisfitError: a topic has other partitions.
        KafkaError: the cluster did not answer.

    """
    if missing := await _missing(admin, counts):
        raise LogUnavailableError(
            f"expected {' and '.join(sorted(missing))}, found none that this client may read"
        )


async def _missing(admin: AIOKafkaAdminClient, counts: Mapping[str, int]) -> list[str]:
    missing = []
    for topic in await admin.describe_topics(list(counts)):
        name, found = topic["topic"], len(topic["partitions"])
        if topic["error_code"] or not found:
            missing.append(name)
        elif found != counts[name]:
            raise TopicMisfitError(
                f"{name}: expected {counts[name]} partitions, found {found}"
                " (the number is fixed when the topic is made: DIALGATE_PARTITIONS)"
            )
    return missing


async def _make(admin: AIOKafkaAdminClient, counts: Mapping[str, int], replication: int) -> None:
    settings = {**LASTING, "max.message.bytes": str(4 * MESSAGE_BYTES_MAX)}
    if replication > 2:
        settings["min.insync.replicas"] = "2"
    answer = await admin.create_topics(
        [
            NewTopic(name, count, replication, topic_configs=settings)
            for name, count in counts.items()
        ]
    )
    for name, code, *words in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # Another process was first.
            raise KafkaError(f"{name}: {error.__name__} {words}")


async def _check_settings(admin: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await admin.describe_configs(asked):
        for code, words, _, name, entries in answer.resources:
            if code:
                raise KafkaError(f"{name}: {for_code(code).__name__} {words}")
            check_settings(name, {setting: value for setting, value, *_ in entries})


def check_settings(name: str, found: Mapping[str, str]) -> None:
    """Refuse a topic that could lose records, or could not take them.

    Raises:
        TopicMisfitError: says which setting was expected and found.

    """
    for setting, expected in LASTING.items():
        if found.get(setting) != expected:
            raise TopicMisfitError(
                f"{name}: expected {setting}={expected}, found {found.get(setting)}:"
                " the log is the only truth, nothing of it may be thrown away"
            )
    if int(found.get("max.message.bytes", "0")) < MESSAGE_BYTES_MAX:
        raise TopicMisfitError(
            f"{name}: expected max.message.bytes of at least {MESSAGE_BYTES_MAX},"
            f" found {found.get('max.message.bytes')}"
        )
