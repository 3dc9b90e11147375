"""A contact whose attempts are spent because `max_attempts` was lowered: given up, never called."""

from datetime import timedelta

from msgspec.structs import replace

from campaigns.domain.contact import ContactStatus
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import (
    CallRequested,
    CampaignPaused,
    CampaignResumed,
    CampaignUpdated,
    ContactExhausted,
    Disposition,
)
from campaigns.domain.values.stream_names import campaign_stream, contact_stream
from campaigns.gates.room import Reading
from dialer.decisions.exhaustion import EXHAUST, ExhaustContact
from tests.support.folded_journal import FoldedJournal
from tests.unit.dialer.rig import RESEND_S, Rig, offered, offers


def lowered(rig: Rig, most: int = 1) -> None:
    """Pause, lower max_attempts, resume."""
    campaign = rig.campaigns.by_id[1]
    settings = replace(campaign.settings, max_attempts=most)
    rig.write(CampaignPaused(campaign_id=1, reason=None, paused_at=rig.now))
    rig.write(CampaignUpdated(campaign_id=1, settings=settings, updated_at=rig.now))
    rig.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=rig.now))


def waiting_for_a_second_attempt() -> Rig:
    rig = Rig()
    rig.create(contacts=1)
    rig.start()
    rig.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))
    return rig


def test_when_its_turn_comes_it_is_given_up_and_not_called() -> None:
    rig = waiting_for_a_second_attempt()
    lowered(rig)
    rig.running_again()
    effects = rig.after(31 * 60)
    assert not [o for o in offers(effects) if isinstance(o.facts[0], CallRequested)]
    fact = offered(effects[:1], ContactExhausted)
    assert (fact.contact_id, fact.attempts, fact.run) == (1, 1, 1)
    (offer, *_) = offers(effects)
    assert offer.streams == (contact_stream(1, 1), campaign_stream(1))
    (completed,) = offers(rig.accept(offer))
    assert completed.facts[0].TYPE == "campaign-completed.v1"
    assert rig.contacts.get(rig.campaigns.by_id[1], 1).status is ContactStatus.BUSY, (
        "as its last attempt ended"
    )
    assert rig.campaigns.by_id[1].counters.failed == 1


def test_without_the_change_it_is_called_again() -> None:
    rig = waiting_for_a_second_attempt()
    rig.running_again()
    (offer, *_) = offers(rig.after(31 * 60))
    assert isinstance(offer.facts[0], CallRequested)


def test_what_is_not_read_back_is_sent_again_and_only_then() -> None:
    rig = waiting_for_a_second_attempt()
    lowered(rig)
    rig.running_again()
    rig.passes(31 * 60)
    assert len(offers(rig.react())) == 1
    assert not offers(rig.after(RESEND_S / 2))
    assert len(offers(rig.after(RESEND_S))) == 1


def test_nobody_else_is_given_up() -> None:
    told = FoldedJournal()
    told.running(contacts=2)
    told.call(1, Disposition.BUSY, retry_in=timedelta(minutes=30))

    def reason(contact_id: int) -> Reason | None:
        reading = Reading(told.campaign, told.contact(contact_id))
        decision = EXHAUST.decide(reading, ExhaustContact(1, contact_id, told.now))
        return decision.reason if isinstance(decision, Rejected) else None

    assert (reason(1), reason(2)) == (Reason.TOO_SOON, Reason.TOO_SOON)
    told.pause()
    assert reason(1) is Reason.NOT_RUNNING
    told.resume()
    told.call(1, attempt=2)
    assert reason(1) is Reason.CONTACT_DONE
