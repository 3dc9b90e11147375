"""The projector killed at random, its store deleted: subscribers miss nothing, in order."""

import asyncio
import json
import random
import time
from pathlib import Path

import pytest

from campaigns.records.topics import CAMPAIGN_EVENTS, CAMPAIGN_RECORDS
from campaigns.stores.checkpoint import remove
from tests.support.auditor import audit, rings_of
from tests.support.subscriber import accepted, whole_topic, without_repeats
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

KILLS = 6  # With every second one the store goes too. Each strikes a campaign of its own.
CONTACTS, CONCURRENT = 100, 4
CALLS_PER_MINUTE = 1_200  # Each outlasts its kill, on busy cores too.
LIFE_S = (0.0, 0.6)  # How long after a campaign's start the kill comes.
PARTITIONS = 3


@pytest.mark.parametrize("seed", [1])
def test_a_projector_killed_at_random_loses_and_reorders_no_event(
    tmp_path: Path, kafka_servers: str, namespace: str, seed: int
) -> None:
    dice = random.Random(seed)
    system = System(
        tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=PARTITIONS
    )
    with system, system.client() as client:
        campaigns: list[int] = []
        for number in range(KILLS):
            campaigns.append(
                client.create(CONTACTS, concurrent=CONCURRENT, calls_per_minute=CALLS_PER_MINUTE)
            )
            client.start(campaigns[-1])
            time.sleep(dice.uniform(*LIFE_S))  # The moment itself is what is drawn.
            system["projector"].kill9()
            assert len(rings_of(system.rings)) < CONTACTS * len(campaigns), "in the middle"
            if number % 2:
                remove(system.data_dir / "projector.db")
            if client.pause(campaigns[-1]):  # No projector runs; commands need none.
                client.resume(campaigns[-1])
            system["projector"].restart()
        for campaign in campaigns:
            client.wait_for(campaign, "completed")
        same_on_both_topics(kafka_servers, namespace)
        audit(system, client).assert_clean(rings=KILLS * CONTACTS, pauses=KILLS // 2)


def same_on_both_topics(servers: str, namespace: str) -> None:
    """Compare what was published with a fold of the records that is no code of ours."""
    records = asyncio.run(whole_topic(servers, f"{namespace}{CAMPAIGN_RECORDS}"))
    expected = {number: list(accepted(number, records[number])) for number in records}
    assert sum(map(len, expected.values())) >= 3 * KILLS * CONTACTS
    give_up_at = time.monotonic() + 30
    while True:
        published = asyncio.run(whole_topic(servers, f"{namespace}{CAMPAIGN_EVENTS}"))
        events = {number: without_repeats(published[number]) for number in published}
        ids = {number: list(events[number]) for number in events}
        if ids == {number: [fact.id for fact in expected[number]] for number in expected}:
            break
        assert time.monotonic() < give_up_at, "expected the same ids in the same order"
        time.sleep(0.1)
    for number, facts in expected.items():
        for fact in facts:
            event = json.loads(events[number][fact.id].value)
            assert (event["type"], event["subject"]) == (fact.type, fact.stream)
            assert event["data"] == fact.data
