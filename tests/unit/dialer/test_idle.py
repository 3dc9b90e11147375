"""A running campaign that asks for no call has exactly one reason, and is woken when it ends."""

from datetime import timedelta

import pytest

from campaigns.domain.contact import ABANDONED_REST
from campaigns.domain.decider import Reason
from campaigns.domain.facts import CampaignPaused, CampaignResumed, Disposition
from campaigns.gates.gates import IDLE
from dialer.calls.inputs import Stopping, Working
from dialer.reactor.refusal import LOG_REST_S
from tests.unit.dialer.rig import LEASE_S, Rig, requests


@pytest.fixture
def rig() -> Rig:
    return Rig()


def reason(rig: Rig) -> Reason | None:
    shut = rig.state.idle.get(1)
    assert shut is None or shut.reason in IDLE, "the metrics count it"
    return shut.reason if shut else None


def test_all_lines_busy_until_a_call_ends() -> None:
    rig = Rig(max_concurrent_calls=2)
    first, second = rig.running(contacts=3)
    assert reason(rig) is Reason.ALL_LINES_BUSY
    for offer in (first, second):
        rig.accept(offer)
    assert reason(rig) is Reason.ALL_LINES_BUSY
    rig.end(first.record_id, 1, Disposition.ANSWERED)
    assert len(requests(rig.react())) == 1
    assert reason(rig) is Reason.ALL_LINES_BUSY


def test_the_rate_until_its_instant() -> None:
    rig = Rig(calls_per_minute=60)
    (offer,) = rig.running(contacts=3)
    assert reason(rig) is Reason.RATE
    assert rig.state.idle[1].retry_at == rig.now + timedelta(seconds=1)
    rig.accept(offer)
    assert not rig.state.offers
    rig.after(1.0)
    assert rig.state.offers, "it asked again at that instant"


def test_all_resting_until_the_first_is_due(rig: Rig) -> None:
    (offer,) = rig.running(contacts=1)
    rig.accept(offer)
    assert reason(rig) is Reason.NO_CONTACTS_LEFT, "the only contact is being called"
    rig.abandon(offer.record_id, 1)
    rig.react()
    assert reason(rig) is Reason.ALL_RESTING
    assert rig.state.idle[1].retry_at == rig.contacts.get(rig.campaigns.by_id[1], 1).due_at
    assert len(requests(rig.after(ABANDONED_REST.total_seconds()))) == 1


def test_a_full_carrier_until_it_answers() -> None:
    rig = Rig(placing_max=1)
    (offer,) = rig.running(contacts=2)
    assert reason(rig) is Reason.CARRIER_FULL
    rig.accept(offer)
    assert reason(rig) is Reason.CARRIER_FULL, "it has been handed over, and is not answered"
    rig.abandon(offer.record_id, 1)
    assert len(requests(rig.react())) == 1


def test_a_log_that_lost_a_request_for_a_moment(rig: Rig) -> None:
    (offer,) = rig.running(contacts=1)
    rig.refuse(offer, taken=False)
    assert reason(rig) is Reason.LOG_SLOW
    assert rig.state.idle[1].retry_at == rig.now + timedelta(seconds=LOG_REST_S)
    assert len(requests(rig.after(LOG_REST_S))) == 1


def test_a_dialer_that_stops_says_so(rig: Rig) -> None:
    rig.running(contacts=1)
    rig.react(Stopping())
    rig.write(CampaignPaused(campaign_id=1, reason=None, paused_at=rig.now))
    rig.react()
    assert reason(rig) is None, "it is not running"
    rig.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=rig.now))
    rig.react()
    assert reason(rig) is Reason.AWAITS_DIALER


def test_spent_attempts_while_the_contact_is_being_closed() -> None:
    rig = Rig(max_attempts=1)
    rig.create(contacts=1)
    rig.start()
    contact = rig.contacts.get(rig.campaigns.by_id[1], 1)
    contact.attempts = 1
    rig.contacts.put(1, contact)
    rig.react(Working(frozenset({0})))
    assert reason(rig) is Reason.AWAITS_DIALER


def test_a_campaign_of_another_dialer_is_not_counted(rig: Rig) -> None:
    rig.create(contacts=1)
    rig.start()
    rig.react()
    assert reason(rig) is None, "this dialer works no partition"
    assert requests(rig.after(LEASE_S)) == []
