"""Creates the topics of the catalogue on first start, and checks those that exist."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from campaigns.kafka.clients import MESSAGE_BYTES_MAX
from campaigns.process.errors import LogUnavailableError, TopicMisfitError

# Required of a log's topic: no record is ever deleted, and no acknowledged record is lost.
LASTING = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
}
# While a log is being imported, installation.records has this instead of -1: nothing is deleted for
# as long, and every build of every part refuses to start on it.
IMPORTING_MS = str(2**63 - 2)
REPLICATION_MAX = 3  # Two brokers' disks may be lost; more replicas slow down each append.
CLOCKS_MS = 60_000  # Clocks that differ by less must not have their records refused.
SEGMENT_MS, SEGMENT_BYTES = 3_600_000, 1024 * 1024  # Smaller segments make too many files.
_ANY_MS = 2**63 - 1
_SETTLE_S = 0.05  # A new topic is not known to all brokers at once.


async def make_and_check(
    admin: AIOKafkaAdminClient, counts: Mapping[str, int], replication: int | None, brokers: int
) -> None:
    """Create missing topics, and check existing ones. `counts`: partitions by topic name.

    `replication` None: as many replicas as there are brokers, at most REPLICATION_MAX.

    Raises:
        TopicMisfitError: a topic has another number of partitions, or would lose records.
        KafkaError: the cluster did not answer, or cannot create them now.

    """
    while wanted := await missing(admin, counts):
        await make(admin, {name: counts[name] for name in wanted}, replication, brokers)
    for name, found in (await settings_of(admin, counts)).items():
        check_settings(name, found)


async def check_there(admin: AIOKafkaAdminClient, counts: Mapping[str, int]) -> None:
    """Check for a reader that the topics exist: it creates none, and may not see settings.

    Raises:
        LogUnavailableError: they do not exist yet, or this reader may not see them.
        TopicMisfitError: a topic has another number of partitions.
        KafkaError: the cluster did not answer.

    """
    if wanted := await missing(admin, counts):
        raise LogUnavailableError(
            f"expected {' and '.join(sorted(wanted))}, found none that this client may read"
        )


async def missing(admin: AIOKafkaAdminClient, counts: Mapping[str, int]) -> list[str]:
    """Return which of the topics do not exist.

    Raises:
        TopicMisfitError: one that exists has another number of partitions.
        KafkaError: the cluster did not answer.

    """
    absent = []
    for topic in await admin.describe_topics(list(counts)):
        name, found = topic["topic"], len(topic["partitions"])
        if topic["error_code"] or not found:
            absent.append(name)
        elif found != counts[name]:
            raise TopicMisfitError(
                f"{name}: expected {counts[name]} partitions, found {found}"
                " (the number is fixed when the topic is created: DIALGATE_PARTITIONS)"
            )
    return absent


async def make(
    admin: AIOKafkaAdminClient, counts: Mapping[str, int], replication: int | None, brokers: int
) -> None:
    """Create these topics. Idempotent: another process may create them too.

    Raises:
        KafkaError: the cluster did not answer, or cannot create them now.

    """
    copies = replication or min(REPLICATION_MAX, brokers)
    settings = {**LASTING, "max.message.bytes": str(4 * MESSAGE_BYTES_MAX)}
    if copies > 2:
        settings["min.insync.replicas"] = "2"
    answer = await admin.create_topics(
        [NewTopic(name, count, copies, topic_configs=settings) for name, count in counts.items()]
    )
    for name, code, *words in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # Another process created it.
            raise KafkaError(f"{name}: {error.__name__} {words}")
    await asyncio.sleep(_SETTLE_S)


async def settings_of(
    admin: AIOKafkaAdminClient, names: Iterable[str]
) -> Mapping[str, Mapping[str, str]]:
    """Return the settings of each topic.

    Raises:
        KafkaError: the cluster did not answer, or we lack the right (DescribeConfigs).

    """
    asked, found = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], {}
    for answer in await admin.describe_configs(asked):
        for code, words, _, name, entries in answer.resources:
            if code:
                raise KafkaError(
                    f"{name}: its settings cannot be read: {for_code(code).__name__} {words}"
                )
            found[name] = {setting: value for setting, value, *_ in entries}
    return found


def check_settings(name: str, found: Mapping[str, str]) -> None:
    """Refuse a topic that could lose records, or reject large ones.

    Raises:
        TopicMisfitError: names the setting, the expected and the found value.

    """
    if found.get("retention.ms") == IMPORTING_MS:
        raise unfinished(name)
    for setting, expected in LASTING.items():
        if found.get(setting) != expected:
            raise TopicMisfitError(
                f"{name}: expected {setting}={expected}, found {found.get(setting)}:"
                " the log is the only truth, so none of it may be deleted"
            )
    if int(found.get("max.message.bytes", "0")) < MESSAGE_BYTES_MAX:
        raise TopicMisfitError(
            f"{name}: expected max.message.bytes of at least {MESSAGE_BYTES_MAX},"
            f" found {found.get('max.message.bytes')}"
        )


def unfinished(name: str) -> TopicMisfitError:
    """Return the error for a log that an import has not finished."""
    return TopicMisfitError(
        f"{name}: expected a whole log, found an import that was interrupted: run `dialgate"
        " import` again with the same file, or delete the topics"
    )


def doubts(settings: Mapping[str, str], copies: int, brokers: int) -> Iterator[str]:
    """Yield what an operator should know of a usable topic. `copies`: replicas per partition."""
    required = int(settings.get("min.insync.replicas", "1"))
    if copies == 1 and brokers == 1:
        yield "one broker has it: acknowledged records are lost with that broker's disk"
    elif copies < (most := min(REPLICATION_MAX, brokers)):
        yield (
            f"replicas on {copies} of {brokers} brokers: Kafka adds none by itself, reassign its"
            f" partitions to {most}"
        )
    if copies > 1 and required == 1:
        yield (
            "min.insync.replicas=1: one replica may acknowledge alone, and its acknowledged records"
            " are lost with it; set 2"
        )
    elif copies > 1 and required >= copies:
        yield f"min.insync.replicas={required} of {copies}: no record is taken while one is away"
    for side in ("before", "after"):
        allowed_ms = int(settings.get(f"message.timestamp.{side}.max.ms", _ANY_MS))
        if allowed_ms < CLOCKS_MS:
            yield (
                f"message.timestamp.{side}.max.ms={allowed_ms}: brokers refuse the records of a"
                " clock that differs by more"
            )
    for setting, least in (("segment.ms", SEGMENT_MS), ("segment.bytes", SEGMENT_BYTES)):
        if int(settings.get(setting, _ANY_MS)) < least:
            yield f"{setting}={settings[setting]}: too many files for the brokers in the long run"
