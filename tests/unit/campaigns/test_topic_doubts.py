"""Doubts about topics: settings and replicas that may cost records later."""

import logging
from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.topics import inspection
from campaigns.kafka.topics.inspection import Inspection
from campaigns.kafka.topics.topic_ids import TopicDescription
from campaigns.kafka.topics.topic_setup import doubts
from campaigns.process.metrics import TOPIC_DOUBTS
from campaigns.records.topics import CAMPAIGN_RECORDS

SETTINGS_OF_THREE = {"min.insync.replicas": "2"}


@pytest.mark.parametrize(
    ("settings", "copies", "brokers", "said"),
    [
        ({"min.insync.replicas": "2"}, 3, 3, []),
        ({}, 1, 1, ["one broker has it"]),
        ({}, 1, 3, ["replicas on 1 of 3 brokers"]),
        ({"min.insync.replicas": "2"}, 1, 3, ["replicas on 1 of 3 brokers"]),
        (SETTINGS_OF_THREE, 3, 2, []),  # One broker is away.
        (SETTINGS_OF_THREE, 3, 5, []),
        ({"min.insync.replicas": "1"}, 3, 3, ["set 2"]),
        ({"min.insync.replicas": "1"}, 2, 3, ["reassign its partitions to 3", "set 2"]),
        ({"min.insync.replicas": "1"}, 2, 2, ["set 2"]),
        ({"min.insync.replicas": "3"}, 3, 3, ["no record is taken while one is away"]),
        (
            SETTINGS_OF_THREE | {"message.timestamp.before.max.ms": "1000"},
            3,
            3,
            ["a clock"],
        ),
        (SETTINGS_OF_THREE | {"segment.bytes": "1000"}, 3, 3, ["too many files"]),
        (SETTINGS_OF_THREE | {"compression.type": "gzip"}, 3, 3, []),
        (SETTINGS_OF_THREE | {"message.timestamp.type": "LogAppendTime"}, 3, 3, []),
    ],
)
def test_what_may_cost_records_is_said(
    settings: dict[str, str], copies: int, brokers: int, said: list[str]
) -> None:
    found = list(doubts(settings, copies, brokers))
    assert len(found) == len(said)
    assert all(words in doubt for words, doubt in zip(said, found, strict=True))


class Cluster:
    """A cluster that can grow, in place of the admin client and its answers."""

    def __init__(self, brokers: int, replicas: Iterable[int]) -> None:
        self.brokers, self.replicas = brokers, list(replicas)

    async def describe_cluster(self) -> Mapping[str, Any]:
        return {"brokers": [SimpleNamespace(node_id=number) for number in range(self.brokers)]}

    async def described(self, _: object, names: Collection[str]) -> Mapping[str, TopicDescription]:
        topic = TopicDescription(None, "id", self.replicas, self.replicas, None)
        return dict.fromkeys(names, topic)

    async def settings_of(self, _: object, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        return dict.fromkeys(names, SETTINGS_OF_THREE)


async def test_replicas_that_were_not_made_while_a_broker_was_away_are_missed_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kafka adds none by itself, so only this line tells."""
    cluster = Cluster(brokers=2, replicas=[2, 2])
    monkeypatch.setattr(inspection, "described", cluster.described)
    monkeypatch.setattr(inspection, "settings_of", cluster.settings_of)
    seen = Inspection(Kafka("localhost:9092"), [CAMPAIGN_RECORDS], 1.0)

    async def lines() -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, inspection.logger.name):
            await seen.look(cluster)
        return [line for line in caplog.messages if "replicas on" in line]

    assert await lines() == []
    cluster.brokers = 3
    (line,) = await lines()
    assert line.startswith(f"{CAMPAIGN_RECORDS}: replicas on 2 of 3 brokers")
    assert await lines() == [], "it is said once"
    cluster.replicas = [3, 2]  # One partition is not reassigned yet.
    assert await lines() == []
    assert TOPIC_DOUBTS.labels(CAMPAIGN_RECORDS)._value.get() == 2, "and min.insync.replicas"
    cluster.replicas = [3, 3]
    assert await lines() == []
    assert TOPIC_DOUBTS.labels(CAMPAIGN_RECORDS)._value.get() == 0
