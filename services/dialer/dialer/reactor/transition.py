"""When a campaign's transition (it begins, fails or completes) is offered to the log. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.moves import Status
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Clocks
from dialer.decisions.lifecycle import transition
from dialer.reactor.state import State

CLOCK_REST_S = 60.0  # The longest wait for a wall-clock time: wall clocks can be set.


def offer_transition(
    state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]
) -> None:
    """Offer the transition that is due for a campaign, if any; one at a time."""
    if not state.works(campaign.campaign_id) or state.stopping:
        return
    if campaign.status is Status.SCHEDULED and campaign.next_at is not None:
        ahead_s = (campaign.next_at - clocks.now).total_seconds()
        if ahead_s > 0:
            state.wake(clocks.boot + min(ahead_s, CLOCK_REST_S), campaign.campaign_id)
    if (found := transition(campaign, clocks.now, state.terms.schedule_grace_s)) is None:
        return
    queue = state.queue(campaign.campaign_id)
    if clocks.boot < queue.rest_until:
        state.wake(queue.rest_until, campaign.campaign_id)
        return
    if queue.transition_id is not None:
        again_at = queue.transition_at + state.terms.resend_max_s
        if clocks.boot < again_at:
            state.wake(again_at, campaign.campaign_id)
            return
    facts, streams = found
    assert isinstance(facts, tuple), "a transition that is due is never rejected"
    queue.transition_id, queue.transition_at = state.new_id(), clocks.boot
    state.offers[queue.transition_id] = campaign.campaign_id
    effects.append(Offer(queue.transition_id, campaign.campaign_id, facts, streams, None))
    state.wake(clocks.boot + state.terms.resend_max_s, campaign.campaign_id)
