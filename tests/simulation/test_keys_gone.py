"""A dialer without one key is not ready while contacts need some, and says so in one sentence."""

import asyncio

import pytest

from campaigns.domain.facts import CampaignErased, ContactsEncrypted
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.log.installation_log import Author, decided
from campaigns.personal.erasure import (
    ErasableList,
    ErasedRow,
    campaign_erased,
    contact_erased,
)
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import AHEAD, ListKeys
from campaigns.process.virtual_time import run_virtually
from campaigns.records.installation import raise_level
from campaigns.secrets.key_place import KeyPlace
from dialer.service import Dialer
from tests.simulation.test_altered_rows import NUMBERS, campaign
from tests.simulation.test_dialing import Bench, bench, dialing


def keys_of(b: Bench) -> dict[str, str]:
    assert b.log.list_keys is not None
    store = b.log.list_keys.store
    assert isinstance(store, MemoryKeys)
    return store._wrapped


def used_keys(b: Bench) -> list[str]:
    return [fact.key_id for fact in b.of(ContactsEncrypted)]


def erased(b: Bench, campaign_id: int, key_id: str) -> CampaignErased:
    lists = [ErasableList(len(NUMBERS), key_id)]
    return campaign_erased(campaign_id, lists, b.clock.now())


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


def test_a_key_that_is_missing_beside_one_that_is_there_is_no_trouble() -> None:
    async def scenario() -> None:
        b = bench()
        await campaign(b, list)
        await campaign(b, list, 43)
        del keys_of(b)[used_keys(b)[0]]
        async with dialing(b) as dialer:
            await folded(dialer)
            assert await dialer.troubles() == (), "others are called"
            assert len(b.carrier.rings) == len(NUMBERS)
            gone = used_keys(b)[1]
            await b.offer(erased(b, 43, gone))
            del keys_of(b)[gone]
            await asyncio.sleep(5)
            assert await dialer.troubles(), "the only one that is left to be read is lost"

    run_virtually(scenario())


def test_keys_that_were_made_ahead_read_nobody() -> None:
    """The next import makes 64: until a list has one, all that there are is lost."""

    async def scenario() -> None:
        b = bench()
        await campaign(b, list)
        keys_of(b).clear()
        async with dialing(b) as dialer:
            await folded(dialer)
            assert b.log.list_keys is not None
            other = ListKeys(b.log.list_keys.store, KeyPlace(bytes(32)))
            await other.take()
            assert len(keys_of(b)) == AHEAD
            assert await dialer.troubles()
            b.log.list_keys = other
            await campaign(b, list, 43)
            await asyncio.sleep(30)
            assert await dialer.troubles() == (), "those that came are called"
            assert len(b.carrier.rings) == len(NUMBERS)

    run_virtually(scenario())


@pytest.mark.parametrize("whole", [True, False])
def test_nobody_needs_a_key_once_everybody_is_erased(whole: bool) -> None:
    async def scenario() -> None:
        b = bench()
        by, now = Author("test", "test"), b.clock.now()
        await decided(b.log, lambda found: raise_level(found, LEVEL_NEWEST, now), by, b.clock)
        await campaign(b, list)
        (used,) = used_keys(b)
        keys_of(b).clear()
        async with dialing(b) as dialer:
            await folded(dialer)
            last = len(NUMBERS)
            for row in range(1, last):
                await b.offer(contact_erased(42, row, ErasedRow(used, row), now))
            await asyncio.sleep(5)
            assert await dialer.troubles(), "one is left"
            alone = contact_erased(42, last, ErasedRow(used, last), now)
            await b.offer(erased(b, 42, used) if whole else alone)
            await asyncio.sleep(5)
            assert await dialer.troubles() == (), "nobody needs any"
        assert not b.carrier.rings

    run_virtually(scenario())
