"""The topic of the lists' keys: compacted, so that it can forget.

Kafka compacts no segment that is being written, and begins another one only when a record arrives:
who writes keys sends one more later (kafka_keys). From then on the brokers' cleaners need some
seconds. Source: ADR-0042; Kafka's UnifiedLog.maybeRoll, LogConfig.maxSegmentMs, LogCleanerManager;
KIP-354.
"""

import asyncio
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from campaigns.kafka.topics.topic_setup import REPLICATION_MAX, settings_of
from campaigns.process.errors import TopicMisfitError

ROLL_MS = 600_000  # 10 minutes: how long a segment is written, and a cleaner may wait.
ROLL_MS_MAX = 86_400_000  # A topic that forgets later is refused.
KEY_BYTES_MAX = (
    8 * 1024 * 1024
)  # A list's keys: 3.6 MB where 14,000 of a million were erased alone.
REQUIRED = {
    "cleanup.policy": "compact",  # Deleting by age would lose people who were not forgotten.
    "unclean.leader.election.enable": "false",  # Could bring back what was forgotten.
}
CHOSEN = REQUIRED | {
    "min.cleanable.dirty.ratio": "0.01",  # Any change is worth it: the topic is small.
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "86400000",  # A reader that is behind by more reads all anew.
    "file.delete.delay.ms": "1000",  # Of segments that were compacted.
    "max.message.bytes": str(KEY_BYTES_MAX + 64 * 1024),
    "message.timestamp.type": "LogAppendTime",  # Segments end by the brokers' clocks alone.
}
_SETTLE_S = 0.05  # A new topic is not known to all brokers at once.


async def there(admin: AIOKafkaAdminClient, name: str) -> bool:
    """Say whether the topic exists, as far as this client may see. Raises: KafkaError."""
    (found,) = await admin.describe_topics([name])
    return not found["error_code"] and bool(found["partitions"])


async def make_and_check_keys(
    admin: AIOKafkaAdminClient, name: str, replication: int | None, brokers: int, roll_ms: int
) -> None:
    """Create the topic if it is missing, and check one that exists.

    Raises:
        TopicMisfitError: it could lose keys, or forgets too late.
        KafkaError: the cluster did not answer, or we lack a right.

    """
    while not await there(admin, name):
        copies = replication or min(REPLICATION_MAX, brokers)
        times = {"segment.ms": str(roll_ms), "max.compaction.lag.ms": str(roll_ms)}
        durable = {"min.insync.replicas": "2"} if copies > 2 else {}
        topic = NewTopic(name, 1, copies, topic_configs=CHOSEN | times | durable)
        answer = await admin.create_topics([topic])
        for _, code, *words in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:  # Another process created it.
                raise KafkaError(f"{name}: {error.__name__} {words}")
        await asyncio.sleep(_SETTLE_S)
    check_key_settings(name, (await settings_of(admin, [name]))[name])


def check_key_settings(name: str, found: Mapping[str, str]) -> None:
    """Refuse a topic that could lose keys, or keep those that were deleted.

    Raises:
        TopicMisfitError: names the setting, the expected and the found value.

    """
    for setting, expected in REQUIRED.items():
        if found.get(setting) != expected:
            raise TopicMisfitError(
                f"{name}: expected {setting}={expected}, found {found.get(setting)}: it holds the"
                " keys of contacts, and loses none but those of whom is forgotten"
            )
    if int(found.get("max.compaction.lag.ms", ROLL_MS)) > ROLL_MS_MAX:
        raise TopicMisfitError(
            f"{name}: expected max.compaction.lag.ms of at most {ROLL_MS_MAX}, found"
            f" {found['max.compaction.lag.ms']}: who is forgotten would stay readable for longer"
        )
