"""Whoever is erased while waiting is skipped, by the reactor, however often the log loses it."""

import pytest

from campaigns.domain.facts import (
    AnyFact,
    CallRequested,
    CampaignErased,
    CampaignPaused,
    CampaignResumed,
    ContactErased,
    ContactSkipped,
    SkipReason,
)
from campaigns.testing.sample_records import NOON
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Working
from tests.unit.dialer.rig import RESEND_S, Rig, offers

ALONE = 1, ContactErased(campaign_id=1, contact_id=1, key_id="k", row=1, erased_at=NOON)
ALL = 2, CampaignErased(campaign_id=1, through=2, key_ids=("k",), erased_at=NOON)
Whom = tuple[int, ContactErased | CampaignErased]  # How many are erased, and by what.


def skips(effects: list[Effect]) -> dict[int, Offer]:
    """Return what skips whom."""
    return {
        fact.contact_id: offer
        for offer in offers(effects)
        for fact in offer.facts
        if isinstance(fact, ContactSkipped)
    }


def asked(effects: list[Effect]) -> list[int]:
    """Return who is asked for."""
    facts: list[AnyFact] = [fact for offer in offers(effects) for fact in offer.facts]
    return [fact.contact_id for fact in facts if isinstance(fact, CallRequested)]


def erased(whom: Whom) -> tuple[Rig, list[Effect]]:
    """Return a campaign of two contacts, of whom some are erased before they are called."""
    rig = Rig(max_concurrent_calls=5)
    rig.create(contacts=2)
    rig.start()
    _, fact = whom
    rig.write(fact)
    return rig, rig.react(Working(frozenset({0})))


@pytest.mark.parametrize("whom", [ALONE, ALL], ids=["a contact", "a campaign"])
def test_who_is_erased_is_skipped_and_others_are_called(whom: Whom) -> None:
    rig, effects = erased(whom)
    many, _ = whom
    assert sorted(skips(effects)) == list(range(1, many + 1))
    assert asked(effects) == list(range(many + 1, 3))
    for offer in skips(effects).values():
        (fact,) = offer.facts
        assert isinstance(fact, ContactSkipped)
        assert (fact.run, fact.reason, fact.tried) == (1, SkipReason.ERASED, False)
        rig.accept(offer)
    counters = rig.campaigns.by_id[1].counters
    assert (counters.total, counters.pending, counters.skipped) == (2 - many, 2 - many, many)


@pytest.mark.parametrize("whom", [ALONE, ALL], ids=["a contact", "a campaign"])
def test_a_skip_that_the_log_loses_is_offered_again(whom: Whom) -> None:
    rig, effects = erased(whom)
    lost = skips(effects)
    again = skips(rig.after(2.5 * RESEND_S))
    assert sorted(again) == sorted(lost)
    assert not {offer.record_id for offer in again.values()} & {
        offer.record_id for offer in lost.values()
    }


@pytest.mark.parametrize("whom", [ALONE, ALL], ids=["a contact", "a campaign"])
def test_a_skip_is_offered_again_once_the_campaign_runs_again(whom: Whom) -> None:
    rig, effects = erased(whom)
    rig.write(CampaignPaused(campaign_id=1, reason=None, paused_at=rig.now))
    rig.after(10 * RESEND_S)
    rig.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=rig.now))
    assert sorted(skips(rig.after(RESEND_S))) == sorted(skips(effects))
