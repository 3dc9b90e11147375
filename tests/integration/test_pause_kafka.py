"""The property of the pause, on a real broker: one log, a campaign a script."""

import random

import pytest

from campaigns.facts import CallRequested, CampaignPaused, Event
from campaigns.log_kafka import KafkaLog
from tests.property.racing import TURNS, WRITERS, BrokenPromiseError, play, unguarded

SCRIPTS = 30


def script(chance: random.Random) -> list[tuple[str, str]]:
    """Draw who looks and who acts."""
    return [(chance.choice(WRITERS), chance.choice(TURNS)) for _ in range(chance.randint(10, 40))]


@pytest.mark.kafka
async def test_no_race_gets_a_call_past_a_pause(kafka_servers: str, namespace: str) -> None:
    log = KafkaLog(kafka_servers, 3, namespace=namespace)
    await log.open()
    try:
        seen: list[Event] = []
        for seed in range(SCRIPTS):
            seen += await play(log, script(random.Random(seed)), campaign_id=seed + 1)
        assert {CallRequested, CampaignPaused} <= {type(fact) for fact in seen}, "never put to test"
    finally:
        await log.close()


@pytest.mark.kafka
async def test_without_the_guard_a_race_does(kafka_servers: str, namespace: str) -> None:
    log = KafkaLog(kafka_servers, 3, namespace=namespace)
    await log.open()
    try:
        with pytest.raises(BrokenPromiseError):
            for seed in range(SCRIPTS):
                drawn = script(random.Random(seed))
                await play(log, drawn, campaign_id=seed + 1, streams=unguarded)
    finally:
        await log.close()
