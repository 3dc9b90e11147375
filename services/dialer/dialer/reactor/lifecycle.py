"""What the dialer says of a campaign's own life: begun, over, or given up. Pure."""

from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Decision
from campaigns.domain.facts import Stream
from campaigns.domain.moves import Status
from dialer.calls.ticks import Clocks, Effect, Offer
from dialer.decisions.completion import COMPLETE, CompleteCampaign, done
from dialer.decisions.due import BEGIN, BeginScheduled, due
from dialer.reactor.state import State

CLOCK_REST_S = 60.0  # Wall clocks are set: a time ahead is looked at again at least so often.


def turn(state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]) -> None:
    """Offer what is to be said of a campaign's life now, if anything, once at a time."""
    if not state.works(campaign.campaign_id) or state.stopping:
        return
    if campaign.status is Status.SCHEDULED and campaign.next_at is not None:
        _wait(state, campaign, campaign.next_at, clocks)
    if not due(campaign, clocks.now) and not done(campaign):
        return
    queue = state.queue(campaign.campaign_id)
    if clocks.boot < queue.rest_until:
        state.wake(queue.rest_until, campaign.campaign_id)
        return
    if queue.turning is not None:
        again_at = queue.turning_at + state.terms.resend_max_s
        if clocks.boot < again_at:
            state.wake(again_at, campaign.campaign_id)
            return
    facts, streams = _decided(state, campaign, clocks)
    assert isinstance(facts, tuple), "due() or done() said so"
    queue.turning, queue.turning_at = state.new_id(), clocks.boot
    state.offers[queue.turning] = campaign.campaign_id
    effects.append(Offer(queue.turning, campaign.campaign_id, facts, streams, None))
    state.wake(clocks.boot + state.terms.resend_max_s, campaign.campaign_id)


def _decided(
    state: State, campaign: Campaign, clocks: Clocks
) -> tuple[Decision, tuple[Stream, ...]]:
    if done(campaign):
        finished = CompleteCampaign(campaign.campaign_id, clocks.now)
        return COMPLETE.decide(campaign, finished), COMPLETE.streams(finished)
    begun = BeginScheduled(campaign.campaign_id, clocks.now, state.terms.schedule_grace_s)
    return BEGIN.decide(campaign, begun), BEGIN.streams(begun)


def _wait(state: State, campaign: Campaign, until: datetime, clocks: Clocks) -> None:
    ahead_s = (until - clocks.now).total_seconds()
    if ahead_s > 0:
        state.wake(clocks.boot + min(ahead_s, CLOCK_REST_S), campaign.campaign_id)
