"""Numbers of encrypted rows are found list by list, each list looked at once."""

import sqlite3
from collections.abc import Sequence

import pytest

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import ContactsEncrypted
from campaigns.domain.values.rows import Row
from campaigns.personal.erasure import ErasableList, campaign_erased
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.personal.row_cipher import encrypted
from campaigns.secrets.key_place import KeyPlace
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from campaigns.testing.sample_records import FIRST, NOON
from command_api.imports import number_index
from command_api.imports.number_index import know_numbers
from tests.support.sample_facts import campaign_created
from tests.support.told_log import ToldLog
from tests.unit.dialer.rig import Rig

LISTS = 100


def campaign_of(contacts: int) -> Campaign:
    rig = Rig()
    rig.create(contacts=1)
    campaign = rig.state.campaigns.by_id[1]
    campaign.contacts_end = contacts
    return campaign


async def add_list(contacts: Contacts, keys: ListKeys, first: int, phones: Sequence[str]) -> str:
    """Make an encrypted list count, whose first contact is `first`; return its key's id."""
    key, import_id = await keys.take(), f"i{first}"
    rows = encrypted(
        key.tree, key.key_id, 1, [Row(phone_number=phone, variables={}) for phone in phones]
    )
    contacts.add(ContactsEncrypted(import_id=import_id, first_row=1, key_id=key.key_id, rows=rows))
    contacts.count(1, import_id, first, len(phones))
    return key.key_id


async def test_a_campaign_of_many_lists_costs_each_of_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(number_index, "REST_S", 0.0)
    keys, db = ListKeys(MemoryKeys(), KeyPlace.of([bytes(32)], None)), sqlite3.connect(":memory:")
    contacts, campaign = Contacts(db, keys.mark()), campaign_of(LISTS)
    phones = [f"+1415555{n:04}" for n in range(LISTS)]
    for n, phone in enumerate(phones, 1):
        await add_list(contacts, keys, n, [phone])
    asked = list[str]()
    db.set_trace_callback(asked.append)
    await know_numbers(campaign, contacts, keys)
    looks = [one for one in asked if "from numbers" in one or "from rows" in one]
    assert len(looks) < 5 * LISTS, "not each list for each of them"
    db.set_trace_callback(None)
    found = contacts.known(campaign, [*phones, "+14155559999"], replacing=False)
    assert found == set(phones)


async def test_after_a_change_of_the_master_key_an_erased_list_is_asked_for_no_key() -> None:
    old, new = bytes(32), bytes([1]) * 32
    store, db, campaign = MemoryKeys(), sqlite3.connect(":memory:"), campaign_of(5)
    keys = ListKeys(store, KeyPlace.of([old], None))
    contacts = Contacts(db, keys.mark())
    gone = await add_list(contacts, keys, 1, ["+14155550001", "+14155550002"])
    kept = await add_list(contacts, keys, 3, ["+14155550003", "+14155550004", "+14155550005"])
    await know_numbers(campaign, contacts, keys)
    campaign.erased_through = 2
    contacts.forget_through(1, 0, 2)
    contacts.forget(1, 4)
    await keys.forget(gone)
    await keys.forget(kept, [2])

    keys = ListKeys(store, KeyPlace.of([new, old], None))
    contacts = Contacts(db, keys.mark())
    await know_numbers(campaign, contacts, keys)
    everybody = [f"+1415555000{n}" for n in range(1, 6)]
    found = contacts.known(campaign, everybody, replacing=False)
    assert found == {"+14155550003", "+14155550005"}, "also whose rows lie around a forgotten one"


async def test_a_missing_key_of_a_list_that_nobody_erased_is_no_erasure() -> None:
    keys, campaign = ListKeys(MemoryKeys(), KeyPlace.of([bytes(32)], None)), campaign_of(2)
    contacts = Contacts(sqlite3.connect(":memory:"), keys.mark())
    await keys.forget(await add_list(contacts, keys, 1, ["+14155550001"]))
    lost = await add_list(contacts, keys, 2, ["+14155550002"])
    await keys.forget(lost)
    campaign.erased_through = 1
    with pytest.raises(KeyUnavailableError, match=lost):
        await know_numbers(campaign, contacts, keys)


async def test_each_fact_of_an_erased_campaign_touches_its_own_lists_alone() -> None:
    """A campaign of many lists has several: what an earlier one did is not done again."""
    keys, db = ListKeys(MemoryKeys(), KeyPlace.of([bytes(32)], None)), sqlite3.connect(":memory:")
    contacts, campaigns, told = Contacts(db, keys.mark()), Campaigns(), ToldLog()
    ids = [await add_list(contacts, keys, n, [f"+1415555{n:04}"]) for n in range(1, LISTS + 1)]
    lists = [ErasableList(n, key_id) for n, key_id in enumerate(ids, 1)]
    told.tell([campaign_created(1, NOON, rows=LISTS)])
    told.tell(campaign_erased(1, lists[n : n + 20], NOON) for n in range(0, LISTS, 20))
    campaign = campaign_of(LISTS)
    await know_numbers(campaign, contacts, keys)
    changes = list[int]()
    for one in await told.log.read(FIRST, 0, LISTS):
        before = db.total_changes
        fold_contacts(campaigns, contacts, one)
        changes.append(db.total_changes - before)
        left = db.execute("select count(*) from numbers where mark <> ''").fetchone()[0]
        assert left == LISTS - campaigns.by_id[1].erased_through
    assert changes[1:] == [2 * 20] * (LISTS // 20), "a number is gone, and a row says so: each once"
    assert not contacts.known(campaign, [f"+1415555{n:04}" for n in range(LISTS)], replacing=False)
    assert contacts.numbers is not None
    assert contacts.numbers.unmarked(1, 10, erased_through=0) is None, "none is found anew"
