"""A dialer that misses a key asks for nobody, and goes on when the key is back; erasure in time."""

from campaigns.domain.decider import Reason
from campaigns.domain.facts import Abandonment, CallAbandoned, ContactErased
from campaigns.gates.gates import KEY_AGAIN
from campaigns.testing.sample_records import NOON
from dialer.calls.inputs import Working
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
