"""Judges a log by the invariants of the architecture page: facts in order in, violations out. Pure.

It folds by itself: a mistake in the product's own fold is found here, not repeated. It holds a few
hundred bytes for each campaign, list and open call, and two bytes for each contact (ADR-0028).
"""

from collections.abc import Callable

import orjson

from campaigns.audit.judge.attempts import Attempts
from campaigns.audit.judge.campaign_account import BECOMES, KEYS_MAX, CampaignAccount
from campaigns.audit.judge.contact_marks import DONE, ERASED, FAILED, ContactMarks
from campaigns.audit.judge.lists import Lists
from campaigns.audit.judge.permission import RecordedRings
from campaigns.audit.judge.violations import Kind, RecordPlace, Report, Violation, place
from campaigns.domain.facts import (
    TAGS,
    AnyCallFact,
    AnyFact,
    CallFact,
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignDue,
    CampaignErased,
    CampaignFact,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactErased,
    ContactExhausted,
    ContactSkipped,
    ContactsReplaced,
    ImportCompleted,
    ListClosed,
    RunEnded,
    Selection,
)
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.moves import Status
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope

_LEVEL_BYTES = len('{"dialgate":1,')
# By exact type: for a struct, `isinstance` costs five times as much.
_CALLS = frozenset(kind for kind in TAGS.values() if issubclass(kind, CallFact))


class Judge:
    """Takes the accepted records of a log, those of each partition in order."""

    def __init__(
        self,
        find: Callable[[Violation], None],
        rings: RecordedRings | None = None,
        level: int = LEVEL_NEWEST,
    ) -> None:
        """Hand violations to `find`.

        `rings` None: there is no carrier's record to compare with. `level`: the highest that an
        operator has raised the log to.
        """
        self._level = level
        self._levels = {f'{{"dialgate":{n},'.encode(): n for n in range(1, min(level, 9) + 1)}
        self._report = Report(find)
        self._attempts, self._lists = Attempts(self._report, rings), Lists(self._report)
        self.campaigns: dict[int, CampaignAccount] = {}

    def take(self, recorded: Recorded) -> None:
        """Judge the next accepted record."""
        envelope, facts = recorded.envelope, recorded.facts
        assert isinstance(envelope, Envelope), "it was accepted"
        self._report.at = place((recorded.partition, recorded.position))
        level = self._level_of(recorded)
        if len(facts) == 1 and type(only := facts[0]) in _CALLS:  # Nearly every record.
            call: AnyCallFact = only  # type: ignore[assignment]  # By its type.
            self._attempts.take(self.campaigns.get(call.campaign_id), call)
            return
        for fact in facts:
            if isinstance(fact, CallFact):
                self._attempts.take(self.campaigns.get(fact.campaign_id), fact)
            elif isinstance(fact, CampaignFact):
                self._lifecycle(fact)
        if not isinstance(facts[0], CallFact):
            self._lists.take(facts, must_end=level >= ListClosed.SINCE)
        if envelope.idempotency is not None:
            self._key(facts[-1], envelope.idempotency.key)

    def finish(self, *, at_rest: bool) -> None:
        """Judge what is left once the log has been read. `at_rest`: nothing more will come."""
        for campaign_id, campaign in self.campaigns.items():
            self._attempts.finish(campaign, at_rest=at_rest)
            if at_rest and campaign.status is Status.RUNNING:
                self._report.at = campaign.at
                never = "it runs, and does not go on"
                self._report.of_campaign(Kind.NOT_FINISHED, never, campaign_id)
        for list_id, at in self._lists.open.items() if at_rest else ():
            self._report.at = at
            self._report.of_campaign(Kind.LIST_STILL_OPEN, f"list {list_id} has no end", None)

    def _level_of(self, recorded: Recorded) -> int:
        """Return a record's level; it must be one that the log was raised to."""
        raw = recorded.raw
        assert raw is not None, "it was accepted"
        if (found := self._levels.get(raw[:_LEVEL_BYTES])) is not None:  # As all processes write.
            return found
        level = int(orjson.loads(raw)["dialgate"])
        if level > self._level:
            beyond = f"it is of level {level}, the log was raised to {self._level}"
            self._report.of_campaign(Kind.LEVEL_NOT_RAISED, beyond, None)
        return level

    def _lifecycle(self, fact: CampaignFact) -> None:
        campaign_id = fact.campaign_id
        if isinstance(fact, CampaignCreated):
            created = CampaignAccount(
                self._report.at, fact.settings.max_attempts, ContactMarks(fact.rows)
            )
            self.campaigns.setdefault(campaign_id, created)
        if (campaign := self.campaigns.get(campaign_id)) is None:
            return  # Of a foreign producer; every reader ignores it.
        match fact:
            case CampaignUpdated():
                if fact.settings is not None:
                    campaign.attempts_max = fact.settings.max_attempts
            case ContactExhausted():
                campaign.contacts.mark(fact.contact_id, DONE | FAILED)
            case ContactSkipped():
                campaign.contacts.mark(fact.contact_id, DONE)
            case ContactErased():
                campaign.contacts.mark(fact.contact_id, ERASED)
            case CampaignErased():
                campaign.contacts.erase(fact.through)
            case ImportCompleted():
                campaign.contacts.add(fact.first_contact_id + fact.rows - 1)
            case ContactsReplaced():
                campaign.contacts.replace(fact.through)
            case CampaignRearmed():
                _rearm(campaign, fact.selection, fact.contact_ids)
            case CampaignUnscheduled():
                if campaign.run_ended:
                    _rearm(campaign, Selection.ALL)
            case CampaignDue():
                self._due(campaign, fact)
            case CampaignCompleted() | RunEnded():
                self._over(campaign, fact)
        if isinstance(fact, CampaignStarted | CampaignDue):
            campaign.run = fact.run
        _halted(campaign, fact, self._report.at)
        if (becomes := BECOMES.get(type(fact))) is not None:
            campaign.status, campaign.at = becomes, self._report.at

    def _due(self, campaign: CampaignAccount, fact: CampaignDue) -> None:
        if campaign.status is not Status.SCHEDULED:
            unscheduled = f"a run began by itself while it was {campaign.status}"
            self._report.of_campaign(Kind.BEGAN_UNSCHEDULED, unscheduled, fact.campaign_id)
        if fact.started_at < fact.due_at:
            early = f"a run that was due at {fact.due_at} began at {fact.started_at}"
            self._report.of_campaign(Kind.BEGAN_EARLY, early, fact.campaign_id)
        if fact.rearms:
            _rearm(campaign, Selection.ALL)

    def _over(self, campaign: CampaignAccount, fact: CampaignCompleted | RunEnded) -> None:
        campaign.run_ended = isinstance(fact, RunEnded)
        if campaign.calls:
            still = f"it was over with {len(campaign.calls)} calls open"
            self._report.of_campaign(Kind.OVER_WITH_OPEN_CALLS, still, fact.campaign_id)
        if (waiting := campaign.contacts.waiting()) is not None:
            early = f"it was over, and contact {waiting} waits"
            self._report.of_campaign(Kind.COMPLETED_EARLY, early, fact.campaign_id)

    def _key(self, fact: AnyFact, key: str) -> None:
        if not isinstance(fact, CampaignFact):
            return
        if (campaign := self.campaigns.get(fact.campaign_id)) is None:
            return
        if (before := campaign.keys.get(key)) is not None:
            again = f"an Idempotency-Key took effect that had taken effect at {before}"
            self._report.of_campaign(Kind.KEY_TWICE, again, fact.campaign_id)
        campaign.keys[key] = str(self._report.at)
        if len(campaign.keys) > KEYS_MAX:
            campaign.keys.popitem(last=False)


def _rearm(campaign: CampaignAccount, selection: Selection, named: tuple[int, ...] = ()) -> None:
    campaign.contacts.rearm(selection, named)
    campaign.rearmed_run, campaign.run_ended = campaign.run, False


def _halted(campaign: CampaignAccount, fact: CampaignFact, at: RecordPlace) -> None:
    match fact:
        case CampaignPaused(paused_at=halted_at) | CampaignStopped(stopped_at=halted_at):
            campaign.pauses.begin(at, halted_at, campaign.calls)
        case CampaignDeleted(deleted_at=halted_at):
            campaign.pauses.begin(at, halted_at, campaign.calls)
        case CampaignResumed(resumed_at=resumed_at):
            campaign.pauses.end(resumed_at)
        case CampaignStarted(started_at=resumed_at) | CampaignDue(started_at=resumed_at):
            campaign.pauses.end(resumed_at)
