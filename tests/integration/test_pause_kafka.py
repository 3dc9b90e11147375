"""The property of the pause, on a real broker: one log, a campaign a script."""

import random
from collections.abc import AsyncIterator

import pytest

from campaigns.domain.facts import AnyFact, CallRequested, CampaignPaused
from campaigns.kafka.kafka_log import KafkaLog
from dialer.decisions.request_call import REQUEST_CALL
from tests.support.race import TURNS, WRITERS, BrokenPromiseError, Streams, play, unguarded

SCRIPTS = 30


def script(chance: random.Random) -> list[tuple[str, str]]:
    """Draw which writers read and act, and in which order."""
    return [(chance.choice(WRITERS), chance.choice(TURNS)) for _ in range(chance.randint(10, 40))]


async def played(log: KafkaLog, streams: Streams) -> set[type[AnyFact]]:
    """Play all scripts; return what kinds of facts were accepted."""
    kinds: set[type[AnyFact]] = set()
    for seed in range(SCRIPTS):
        drawn = script(random.Random(seed))
        kinds |= {type(fact) for fact in await play(log, drawn, seed + 1, streams=streams)}
    return kinds


@pytest.fixture
async def log(kafka_servers: str, namespace: str) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(kafka_servers, 3, namespace=namespace)
    await log.open()
    yield log
    await log.close()


@pytest.mark.kafka
async def test_no_race_gets_a_call_past_a_pause(log: KafkaLog) -> None:
    kinds = await played(log, REQUEST_CALL.streams)
    assert {CallRequested, CampaignPaused} <= kinds, "never put to test"


@pytest.mark.kafka
async def test_without_the_guard_a_race_does(log: KafkaLog) -> None:
    with pytest.raises(BrokenPromiseError):
        await played(log, unguarded)
