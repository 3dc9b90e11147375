"""Asks a cluster for topics' ids and replicas, and our rights to them.

A topic that was deleted and created again has another id. The Kafka client speaks only older
versions of the metadata request, without ids.
Source: Kafka's protocol guide, Metadata, version 12 (KIP-516: topic identifiers).
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from campaigns.kafka.clients import Kafka
from campaigns.records.home import LogPlace

_ID_BYTES = 16
_NOT_TOLD = -(2**31)  # In place of rights.
_BY_NAME = bytes(_ID_BYTES)  # No id: the topic is looked up by its name.


class _Id(AbstractType[bytes]):  # type: ignore[misc]  # aiokafka has no types.
    """A topic's id, raw."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_ID_BYTES)


class _TopicIdsResponse(Response):  # type: ignore[misc]  # aiokafka has no types.
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _TopicIdsStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types.
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _TopicIdsResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Id), ("name", CompactString()), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIdsRequest(Request[_TopicIdsStruct]):  # type: ignore[misc]  # aiokafka has no types.
    API_KEY = 3

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_TopicIdsStruct]) -> _TopicIdsStruct:
        no_tags: dict[int, bytes] = {}
        topics = [(_BY_NAME, name, no_tags) for name in self._names]
        return request_struct_class(topics, False, True, no_tags)


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A broker's description of one topic."""

    error: str | None  # The error's name, if any: nothing else is known then.
    id: str  # As Kafka's own tools spell it.
    replicas: Sequence[int]  # How many, per partition.
    in_sync: Sequence[int]  # How many are in sync, per partition.
    rights: frozenset[int] | None  # Codes of the operations that we may perform. None: not told.


async def described(
    admin: AIOKafkaAdminClient, names: Collection[str]
) -> Mapping[str, TopicDescription] | None:
    """Return the description of each topic; None if the broker has no ids (before Kafka 3.1).

    Raises:
        KafkaError: the cluster did not answer.

    """
    try:
        answer: Any = await admin._send_request(_TopicIdsRequest(names))  # Any: as its schema says.
    except NotImplementedError:  # The broker does not support this version.
        return None
    found = {}
    for code, name, raw, _, partitions, operations, *_ in answer.topics:
        found[name] = TopicDescription(
            for_code(code).__name__ if code else None,
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
            [len(replicas) for _, _, _, _, replicas, *_ in partitions],
            [len(in_sync) for _, _, _, _, _, in_sync, *_ in partitions],
            None
            if operations == _NOT_TOLD
            else frozenset(bit for bit in range(31) if operations >> bit & 1),
        )
    return found


async def topic_ids(admin: AIOKafkaAdminClient, names: Collection[str]) -> Mapping[str, str]:
    """Return each topic's id; empty if the broker has no ids.

    Raises:
        KafkaError: the cluster did not answer, or does not know a topic.

    """
    found = await described(admin, names) or {}
    for name, topic in found.items():
        if topic.error:
            raise KafkaError(f"{name}: {topic.error}")
    return {name: topic.id for name, topic in found.items()}


def place_of(kafka: Kafka, cluster: str, ids: Mapping[str, str]) -> LogPlace:
    """Return where a log is: a mirror has another cluster, another namespace, or other topics.

    `ids`: of the topics by which a log is told, by name; empty if the broker has none.
    """
    made = "+".join(ids[name] for name in sorted(ids))
    at = f"kafka/{cluster}/{kafka.namespace}"
    return LogPlace({"cluster": at} | ({"topics": made} if made else {}), f"{at}#{made}")
