"""What the dialer says of a campaign's own life: begun, over, or given up. Pure."""

from datetime import datetime

from campaigns.domain.campaign import Campaign, Status
from campaigns.domain.decider import Decision
from campaigns.domain.facts import Stream
from dialer.calls.ticks import Effect, Moment, Offer
from dialer.decisions.completion import COMPLETE, CompleteCampaign, done
from dialer.decisions.due import BEGIN, BeginScheduled, due
from dialer.reactor.state import State

CLOCK_REST_S = 60.0  # Wall clocks are set: a time ahead is looked at again at least so often.


def turn(state: State, campaign: Campaign, moment: Moment, effects: list[Effect]) -> None:
    """Offer what is to be said of a campaign's life now, if anything, once at a time."""
    if not state.works(campaign.campaign_id) or state.stopping:
        return
    if campaign.status is Status.SCHEDULED and campaign.next_at is not None:
        _wait(state, campaign, campaign.next_at, moment)
    if not due(campaign, moment.now) and not done(campaign):
        return
    desk = state.desk(campaign.campaign_id)
    if moment.boot < desk.rest_until:
        state.wake(desk.rest_until, campaign.campaign_id)
        return
    if desk.turning is not None:
        again_at = desk.turning_at + state.terms.resend_max_s
        if moment.boot < again_at:
            state.wake(again_at, campaign.campaign_id)
            return
    facts, streams = _decided(state, campaign, moment)
    assert isinstance(facts, tuple), "due() or done() said so"
    desk.turning, desk.turning_at = state.new_id(), moment.boot
    state.offers[desk.turning] = campaign.campaign_id
    effects.append(Offer(desk.turning, campaign.campaign_id, facts, streams, None))
    state.wake(moment.boot + state.terms.resend_max_s, campaign.campaign_id)


def _decided(
    state: State, campaign: Campaign, moment: Moment
) -> tuple[Decision, tuple[Stream, ...]]:
    if done(campaign):
        finished = CompleteCampaign(campaign.campaign_id, moment.now)
        return COMPLETE.decide(campaign, finished), COMPLETE.streams(finished)
    begun = BeginScheduled(campaign.campaign_id, moment.now, state.terms.schedule_grace_s)
    return BEGIN.decide(campaign, begun), BEGIN.streams(begun)


def _wait(state: State, campaign: Campaign, until: datetime, moment: Moment) -> None:
    ahead_s = (until - moment.now).total_seconds()
    if ahead_s > 0:
        state.wake(moment.boot + min(ahead_s, CLOCK_REST_S), campaign.campaign_id)
