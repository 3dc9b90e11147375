"""Marks a log on Kafka as being imported: a setting of installation.records that no part accepts.

It is set before the first record and reset after the last one was compared, so that no part starts
on half a log. It needs no right that parts do not have, and earlier builds refuse it too.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from campaigns.kafka.topics.topic_setup import (
    IMPORTING_MS,
    LASTING,
    check_there,
    make,
    missing,
    unfinished,
)

_OF_THE_TOPIC = 1  # Source: Kafka's DescribeConfigs, config_source: set for this topic.


class SettingsUnreadableError(KafkaError):  # type: ignore[misc]  # aiokafka has no types.
    """The brokers do not show this client a topic's settings."""


async def marked(admin: AIOKafkaAdminClient, name: str) -> bool:
    """Say whether a topic is marked.

    Raises:
        SettingsUnreadableError: we lack the right to see it.
        KafkaError: the cluster did not answer, or we lack a right.

    """
    return (await _settings(admin, name)).get("retention.ms") == IMPORTING_MS


async def check_readable(
    admin: AIOKafkaAdminClient, counts: Mapping[str, int], importing: bool
) -> None:
    """Check for a reader that the topics exist, and that no import is unfinished.

    The second only as far as it may see the settings. `importing`: it is the import itself.

    Raises:
        LogUnavailableError: they do not exist yet, or this reader may not see them.
        TopicMisfitError: a topic has another number of partitions, or the log is half imported.
        KafkaError: the cluster did not answer.

    """
    await check_there(admin, counts)
    if importing:
        return
    with suppress(SettingsUnreadableError):  # The rights to read do not include it.
        for name in counts:
            if await marked(admin, name):
                raise unfinished(name)


async def make_marked(
    admin: AIOKafkaAdminClient,
    counts: Mapping[str, int],
    name: str,
    replication: int | None,
    brokers: int,
) -> None:
    """Create the topics that are missing, and mark `name`, one of them. `counts`: partitions.

    Raises:
        KafkaError: the cluster did not answer, or we lack a right.
        TopicMisfitError: a topic has another number of partitions.

    """
    while wanted := await missing(admin, counts):
        await make(admin, {one: counts[one] for one in wanted}, replication, brokers)
    await _set(admin, name, IMPORTING_MS)


async def unmark(admin: AIOKafkaAdminClient, name: str) -> None:
    """Remove the mark.

    Raises:
        KafkaError: the cluster did not answer, or we lack a right.

    """
    await _set(admin, name, LASTING["retention.ms"])


async def _set(admin: AIOKafkaAdminClient, name: str, retention_ms: str) -> None:
    """Set the retention, and leave what else was set for the topic: Kafka would reset it."""
    settings = {**await _settings(admin, name), "retention.ms": retention_ms}
    resource = ConfigResource(ConfigResourceType.TOPIC, name, settings)
    for answer in await admin.alter_configs([resource]):
        for code, words, *_ in answer.resources:
            if code:
                raise KafkaError(f"{name}: {for_code(code).__name__} {words}")


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """Return what is set for this topic alone."""
    asked = ConfigResource(ConfigResourceType.TOPIC, name)
    for answer in await admin.describe_configs([asked]):
        for code, words, _, _, entries in answer.resources:
            if code:
                raise SettingsUnreadableError(f"{name}: {for_code(code).__name__} {words}")
            return {setting: value for setting, value, *rest in entries if _own(rest)}
    return {}


def _own(rest: list[Any]) -> bool:  # Any: as the version of the answer has it.
    """Say whether a setting is the topic's own: of (read only, source or `is default`, …)."""
    source = rest[1]
    return not source if isinstance(source, bool) else source == _OF_THE_TOPIC
