"""Seals the webhooks' secrets anew, by the newest master key. The secrets stay what they are."""

from collections.abc import Callable

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decision
from campaigns.domain.facts import AnyFact, AnyWebhookFact
from campaigns.domain.webhooks import BOTH_SIGN, Webhook, Webhooks
from campaigns.process.clock import SystemClock
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKeyError
from campaigns.webhooks.webhook_endpoint import about
from command_api.webhooks.webhook_changes import ResealSecret, WebhookState, decide
from dialgate.verbs.organization_change import OpenOrganizations, Possession, change, read
from dialgate.verbs.secrets.tally import SealTally


async def reseal_webhooks(
    opened: OpenOrganizations, place: KeyPlace, told: SealTally, moved: Callable[[int], None]
) -> None:
    """Record each webhook's secret as the newest key seals it. Idempotent; one record a time.

    `told` takes in what became of them; `moved` is called with how many more are done.

    Raises:
        MasterKeyError: there is no master key.
        OperatingError: the log did not take a record; those before it are done.

    """
    possession, newest = Possession(Webhooks, _fold), next(place.newest_first())
    found, *_ = await read(opened, possession)
    for organization_id in sorted({one.organization_id for one in found.by_id.values()}):
        mine = SealTally(told.what)

        def decided(now: Webhooks, of: int = organization_id, mine: SealTally = mine) -> Decision:
            mine.clear()  # Others may have changed something: it is decided once more.
            facts = list[AnyFact]()
            for webhook in now.of(of):
                signing = webhook.sealed(SystemClock().now())
                if all(newest.sealed(one) for one in signing):
                    mine.before += 1
                elif len(signing) > 1:
                    mine.left.append(_both_sign(webhook))
                else:
                    try:
                        facts += _resealed(now, webhook, place)
                        mine.done += 1
                    except MasterKeyError as exc:
                        mine.left.append(str(exc))
            return tuple(facts) or UNCHANGED

        await change(opened, organization_id, possession, decided)
        told.add(mine)
        moved(mine.total)


def _both_sign(webhook: Webhook) -> str:
    assert webhook.rotated_at is not None, "two secrets sign"
    until = webhook.rotated_at + BOTH_SIGN
    return (
        f"the secret of {about(webhook.organization_id, webhook.webhook_id)} was rotated, and the"
        f" one before signs until {until.isoformat()}: run this again then"
    )


def _resealed(webhooks: Webhooks, webhook: Webhook, place: KeyPlace) -> tuple[AnyFact, ...]:
    """Return the fact of a secret that is sealed anew. Raises: MasterKeyError."""
    bound = about(webhook.organization_id, webhook.webhook_id)
    sealed = next(place.newest_first()).seal(place.open(webhook.secret, bound), bound)
    command = ResealSecret(webhook.organization_id, webhook.webhook_id, SystemClock().now(), sealed)
    facts = decide(WebhookState(webhooks, Campaigns(), 0), command)
    assert isinstance(facts, tuple), "the webhook is there"
    return facts


def _fold(webhooks: Webhooks, fact: AnyFact, recorded: Recorded) -> None:
    if isinstance(fact, AnyWebhookFact):
        assert isinstance(recorded.envelope, Envelope), "an accepted record"
        webhooks.fold(fact, recorded.envelope.id, recorded.position)
