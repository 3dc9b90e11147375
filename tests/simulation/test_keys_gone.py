"""A dialer without one key is not ready while contacts need some, and says so in one sentence."""

import asyncio

from campaigns.domain.facts import CampaignErased
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.log.installation_log import Author, decided
from campaigns.personal.key_store import MemoryKeys
from campaigns.process.virtual_time import run_virtually
from campaigns.records.installation import raise_level
from dialer.service import Dialer
from tests.simulation.test_altered_rows import NUMBERS, campaign
from tests.simulation.test_dialing import Bench, bench, dialing


def keys_of(b: Bench) -> dict[str, str]:
    assert b.log.list_keys is not None
    store = b.log.list_keys.store
    assert isinstance(store, MemoryKeys)
    return store._wrapped


async def folded(dialer: Dialer) -> None:
    await asyncio.sleep(30)
    assert dialer.campaigns.by_id


def test_it_is_not_ready_until_they_are_back() -> None:
    async def scenario() -> None:
        b = bench()
        await campaign(b, list)
        kept = dict(keys_of(b))
        keys_of(b).clear()
        async with dialing(b) as dialer:
            await folded(dialer)
            (trouble,) = await dialer.troubles()
            assert trouble.startswith("dialer: the keys of contacts are gone: expected those of")
            assert not b.carrier.rings
            keys_of(b).update(kept)
            assert await dialer.troubles() == ()
            await asyncio.sleep(30)
            assert len(b.carrier.rings) == len(NUMBERS), "all goes on"

    run_virtually(scenario())


def test_one_key_that_is_missing_or_everybody_erased_is_no_trouble() -> None:
    async def scenario() -> None:
        b = bench()
        by, now = Author("test", "test"), b.clock.now()
        await decided(b.log, lambda found: raise_level(found, LEVEL_NEWEST, now), by, b.clock)
        await campaign(b, list)
        (used,) = [fact.key_id for fact in b.accepted() if hasattr(fact, "key_id")]
        del keys_of(b)[used]
        async with dialing(b) as dialer:
            await folded(dialer)
            assert await dialer.troubles() == (), "others are called"
            last = len(NUMBERS)
            gone = CampaignErased(campaign_id=42, through=last, key_ids=(used,), erased_at=now)
            await b.offer(gone)
            keys_of(b).clear()
            await asyncio.sleep(5)
            assert await dialer.troubles() == (), "nobody needs any"
        assert not b.carrier.rings

    run_virtually(scenario())
