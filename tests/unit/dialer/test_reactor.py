"""The reactor by example: from asking to completing. The log's faults: test_reactor_log.py."""

from datetime import timedelta

import pytest

from campaigns.domain.facts import (
    Abandonment,
    CallAbandoned,
    CallEnded,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignPaused,
    CampaignResumed,
    Disposition,
)
from campaigns.domain.values.stream_names import campaign_stream, contact_stream
from dialer.calls.effects import Offer, Place
from dialer.calls.inputs import Answered, NotHanded, Reported, Stopping, Woken, Working
from dialer.carrier.port import Ended, NoRing, RefusedLate, Rung
from tests.unit.dialer.rig import LEASE_S, Rig, offered, offers, requests


def pause(rig: Rig) -> None:
    rig.write(CampaignPaused(campaign_id=1, reason=None, paused_at=rig.now))


def resume(rig: Rig) -> None:
    rig.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=rig.now))


def talked(rig: Rig, how: Disposition = Disposition.ANSWERED) -> Ended:
    return Ended(rig.now, rig.now + timedelta(seconds=3), how, 3.0)


def test_a_running_campaign_asks_for_one_permission_a_record() -> None:
    rig = Rig()
    found = rig.running(contacts=3)
    assert [len(offer.facts) for offer in found] == [1, 1, 1]
    (fact,) = found[0].facts
    assert isinstance(fact, CallRequested)
    assert fact.call_id == found[0].record_id, "the id of the record is the id of the call"
    assert (fact.contact_id, fact.lease_s, fact.refuses_late) == (1, LEASE_S, True)
    assert found[0].streams == (contact_stream(1, 1), campaign_stream(1))
    assert rig.react() == [], "once"


def test_nothing_is_asked_for_in_a_partition_that_others_work() -> None:
    rig = Rig()
    rig.create()
    rig.start()
    assert rig.react(Working(frozenset())) == []
    assert rig.react(Working(frozenset({7}))) == []
    assert requests(rig.react(Working(frozenset({0}))))


def test_no_draft_and_no_paused_campaign_asks() -> None:
    rig = Rig()
    rig.create()
    assert rig.react(Working(frozenset({0}))) == []
    rig.start()
    pause(rig)
    assert rig.react() == []
    resume(rig)
    assert requests(rig.react())


def test_it_rings_once_its_own_request_is_read_back_and_not_before() -> None:
    rig = Rig()
    (offer,) = rig.running()
    assert rig.react(Woken()) == []
    assert rig.accept(offer) == [Place(offer.record_id)]
    assert rig.react(Woken()) == [], "it rings once"


def test_a_request_that_is_read_back_after_its_lease_never_rings() -> None:
    rig = Rig()
    (offer,) = rig.running()
    rig.boot += LEASE_S
    (given_back, *others) = rig.accept(offer)
    assert offered([given_back], CallAbandoned).reason is Abandonment.LEASE_OVER
    assert not [effect for effect in others if isinstance(effect, Place)]


def test_a_pause_read_in_the_same_batch_as_the_permission_gives_it_back() -> None:
    rig = Rig()
    (offer,) = rig.running()
    rig.write(*offer.facts, record_id=offer.record_id)
    pause(rig)
    assert offered(rig.react(), CallAbandoned).reason is Abandonment.NOT_RUNNING


def test_a_pause_gives_back_what_is_not_handed_over_and_leaves_the_rest_to_the_carrier() -> None:
    rig = Rig()
    call = rig.permitted()
    pause(rig)
    assert rig.react() == []
    started = offered(rig.react(Answered(call.call_id, Rung(rig.now))), CallStarted)
    assert started.call_id == call.call_id


def test_the_last_look_at_the_clock_may_say_no() -> None:
    rig = Rig()
    call = rig.permitted()
    found = offered(rig.react(NotHanded(call.call_id)), CallAbandoned)
    assert found.reason is Abandonment.LEASE_OVER


@pytest.mark.parametrize("paused", [False, True])
def test_a_call_goes_from_ring_to_end(paused: bool) -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    assert isinstance(started.facts[0], CallStarted)
    if paused:
        pause(rig)
    assert rig.accept(started) == []
    (ended,) = offers(rig.react(Reported(call.call_id, talked(rig))))
    assert isinstance(ended.facts[0], CallEnded)
    assert ended.causation_id == call.call_id
    (completed,) = rig.accept(ended)
    assert isinstance(completed, Offer)
    assert isinstance(completed.facts[0], CampaignCompleted)
    assert not rig.state.calls


def test_an_end_that_is_heard_before_the_start_is_in_the_log_comes_after_it() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    assert rig.react(Reported(call.call_id, talked(rig))) == []
    assert offered(rig.accept(started), CallEnded).disposition is Disposition.ANSWERED


def test_an_end_that_is_heard_before_the_answer_is_no_news_to_it() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Reported(call.call_id, talked(rig))))
    assert rig.react(Answered(call.call_id, Rung(rig.now))) == []
    assert offered(rig.accept(started), CallEnded).duration_s == 3.0


def test_a_definite_no_ends_the_attempt_and_a_late_refusal_gives_it_back() -> None:
    for answer, kind in ((NoRing("no such number"), CallEnded), (RefusedLate(), CallAbandoned)):
        rig = Rig()
        call = rig.permitted()
        assert offered(rig.react(Answered(call.call_id, answer)), kind).call_id == call.call_id


def test_an_abandoned_contact_is_requested_again_after_a_moment() -> None:
    rig = Rig()
    call = rig.permitted()
    (given_back,) = offers(rig.react(Answered(call.call_id, RefusedLate())))
    assert rig.accept(given_back) == []
    (again,) = offers(rig.after(1.0))
    (fact,) = again.facts
    assert isinstance(fact, CallRequested)
    assert (fact.contact_id, fact.attempt) == (1, 1), "its number was given back"


def test_a_retry_is_asked_for_when_it_is_due() -> None:
    rig = Rig()
    call = rig.permitted()
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    rig.accept(started)
    (ended,) = offers(rig.react(Reported(call.call_id, talked(rig, Disposition.BUSY))))
    assert rig.accept(ended) == []
    (fact,) = ended.facts
    assert isinstance(fact, CallEnded)
    assert rig.after(30 * 60) == [], "the delay counts from the attempt's end, which is 3 s later"
    again = offered(rig.after(4), CallRequested)
    assert again.attempt == 2
    assert fact.retry_at
    assert timedelta(0) <= again.requested_at - fact.retry_at < timedelta(seconds=0.1)


def test_no_more_are_asked_for_than_may_call_at_once() -> None:
    rig = Rig(max_concurrent_calls=2)
    found = rig.running(contacts=5)
    assert len(found) == 2
    for offer in found:
        assert rig.accept(offer) == [Place(offer.record_id)]
    (started,) = offers(rig.react(Answered(found[0].record_id, Rung(rig.now))))
    assert rig.accept(started) == []
    (ended,) = offers(rig.react(Reported(found[0].record_id, talked(rig))))
    assert len(requests(rig.accept(ended))) == 1, "a call that ends makes room"


def test_the_rate_is_waited_for_before_a_permission_is_asked_for() -> None:
    rig = Rig(calls_per_minute=60)
    (first,) = rig.running(contacts=3)
    rig.accept(first)
    assert rig.after(0.9) == []
    assert len(requests(rig.after(0.2))) == 1


def test_nothing_waits_in_the_carriers_queue() -> None:
    rig = Rig(placing_max=2)
    found = rig.running(contacts=4)
    assert len(found) == 2
    for offer in found:
        assert rig.accept(offer) == [Place(offer.record_id)], "both are on their way to it"
    effects = rig.react(Answered(found[0].record_id, Rung(rig.now)))
    assert len(offers(effects)) == 2, "a start, and one more request"


def test_a_campaign_that_waits_for_anothers_calls_goes_on_when_there_is_room() -> None:
    rig = Rig(placing_max=1)
    for campaign_id in (1, 2):
        rig.create(campaign_id, contacts=1)
        rig.start(campaign_id)
    (first,) = requests(rig.react(Working(frozenset({0}))))
    rig.write(*first.facts, campaign_id=first.campaign_id, record_id=first.record_id)
    assert rig.react() == [Place(first.record_id)]
    started, second = offers(rig.react(Answered(first.record_id, Rung(rig.now))))
    assert isinstance(started.facts[0], CallStarted)
    assert isinstance(second.facts[0], CallRequested)
    assert {first.campaign_id, second.campaign_id} == {1, 2}


def test_a_stopping_dialer_asks_for_nothing_and_gives_back_what_it_has_not_used() -> None:
    rig = Rig(max_concurrent_calls=2)
    used, unused = rig.running(contacts=3)
    rig.accept(used)
    assert rig.react(Stopping()) == []
    assert offered(rig.accept(unused), CallAbandoned).reason is Abandonment.SHUTTING_DOWN
    (started,) = offers(rig.react(Answered(used.record_id, Rung(rig.now))))
    assert rig.accept(started) == [], "what was handed over is followed"


def test_a_stopped_campaign_is_asked_for_no_more() -> None:
    rig = Rig()
    call = rig.permitted()
    rig.stop()
    assert rig.react() == []
    (started,) = offers(rig.react(Answered(call.call_id, Rung(rig.now))))
    rig.accept(started)
    (ended,) = offers(rig.react(Reported(call.call_id, talked(rig, Disposition.BUSY))))
    (fact,) = ended.facts
    assert isinstance(fact, CallEnded)
    assert fact.retry_at is None
    assert rig.accept(ended) == []
    assert rig.after(3600) == []


def test_an_empty_run_completes_once() -> None:
    rig = Rig()
    rig.create(contacts=0)
    rig.start()
    (offer,) = offers(rig.react(Working(frozenset({0}))))
    assert isinstance(offer.facts[0], CampaignCompleted)
    assert rig.react(Woken()) == []
    assert rig.accept(offer) == []
    assert rig.after(60) == []
