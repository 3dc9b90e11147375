"""A dialer that misses a key asks for nobody, and goes on when the key is back; erasure in time."""

import sqlite3

from campaigns.domain.decider import Reason
from campaigns.domain.facts import Abandonment, CallAbandoned, ContactErased, ContactsEncrypted
from campaigns.gates.gates import KEY_AGAIN
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import ListKeys
from campaigns.secrets.key_place import KeyPlace
from campaigns.stores.contacts import Contacts
from campaigns.testing.sample_records import NOON
from dialer.calls.inputs import Working
from dialer.readability import Readability
from tests.unit.dialer.rig import Rig, offered, requests


def test_without_a_key_nobody_is_asked_for_until_it_is_back() -> None:
    rig, why = Rig(), ["the key k of a list of contacts is missing"]
    rig.state.unread = lambda campaign: why[0] if why else None
    rig.create(contacts=2)
    rig.start()
    assert requests(rig.react(Working(frozenset({0})))) == []
    shut = rig.state.idle[1]
    assert (shut.reason, shut.detail) == (Reason.KEY_MISSING, why[0])
    again_s = KEY_AGAIN.total_seconds() + 0.1
    assert requests(rig.after(again_s)) == []
    why.clear()
    assert len(requests(rig.after(again_s))) == 2, "by the clock alone: nothing else wakes it"


def test_a_permission_whose_contact_is_erased_before_it_is_known_is_given_back() -> None:
    rig = Rig()
    (offer,) = rig.running()
    rig.write(*offer.facts, record_id=offer.record_id)
    rig.write(ContactErased(campaign_id=1, contact_id=1, key_id="k", row=1, erased_at=NOON))
    rig.state.offers.pop(offer.record_id)
    fact = offered(rig.react(), CallAbandoned)
    assert fact.reason is Abandonment.ERASED


async def test_a_list_that_could_be_read_is_not_looked_at_again_for_each_import() -> None:
    rig, looked = Rig(), list[str]()

    class Looked(ListKeys):
        def tree(self, key_id: str) -> KeyTree:
            looked.append(key_id)
            return super().tree(key_id)

    keys = Looked(MemoryKeys(), KeyPlace.of([bytes(32)], None))
    made = [(await keys.take()).key_id for _ in range(3)]
    contacts = Contacts(sqlite3.connect(":memory:"))
    now = [0.0]
    readable = Readability(contacts, keys, lambda: now[0])
    rig.create(contacts=1)
    campaign = rig.state.campaigns.by_id[1]
    for n, key_id in enumerate(made, 1):
        contacts.add(ContactsEncrypted(import_id=f"i{n}", first_row=1, key_id=key_id, rows=("x",)))
        contacts.count(1, f"i{n}", n, 1)
        campaign.contacts_end = n
        assert readable.unread(campaign) is None
    assert looked == made, "each once"
    await keys.forget(made[0])
    now[0] += KEY_AGAIN.total_seconds()
    assert readable.unread(campaign) is None, "as far as is known"
    readable.lost(campaign, "it was not there")
    now[0] += KEY_AGAIN.total_seconds()
    assert str(readable.unread(campaign)) == f"the key {made[0]} of a list of contacts is missing"
