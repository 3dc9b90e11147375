"""Numbers of encrypted rows are found list by list, each list looked at once."""

import sqlite3

import pytest

from campaigns.domain.facts import ContactsEncrypted
from campaigns.domain.values.rows import Row
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_cipher import encrypted
from campaigns.secrets.key_place import KeyPlace
from campaigns.stores.contacts import Contacts
from command_api.imports import number_index
from command_api.imports.number_index import know_numbers
from tests.unit.dialer.rig import Rig

LISTS = 100


async def test_a_campaign_of_many_lists_costs_each_of_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(number_index, "REST_S", 0.0)
    keys, db = ListKeys(MemoryKeys(), KeyPlace.of([bytes(32)], None)), sqlite3.connect(":memory:")
    contacts, rig = Contacts(db, keys.mark()), Rig()
    rig.create(contacts=1)
    campaign = rig.state.campaigns.by_id[1]
    phones = [f"+1415555{n:04}" for n in range(LISTS)]
    for n, phone in enumerate(phones, 1):
        key = await keys.take()
        rows = encrypted(key.tree, key.key_id, 1, [Row(phone_number=phone, variables={})])
        contacts.add(
            ContactsEncrypted(import_id=f"i{n}", first_row=1, key_id=key.key_id, rows=rows)
        )
        contacts.count(1, f"i{n}", n, 1)
    campaign.contacts_end = LISTS
    asked = list[str]()
    db.set_trace_callback(asked.append)
    await know_numbers(campaign, contacts, keys)
    looks = [one for one in asked if "from numbers" in one or "from rows" in one]
    assert len(looks) < 5 * LISTS, "not each list for each of them"
    db.set_trace_callback(None)
    found = contacts.known(campaign, [*phones, "+14155559999"], replacing=False)
    assert found == set(phones)
