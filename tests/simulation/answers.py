"""What the auditor makes of the answers that clients were given: invariants 4 and 6."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Rejected
from campaigns.domain.facts import (
    AnyCampaignFact,
    AnyFact,
    CampaignCompleted,
    CampaignCreated,
    CampaignDeleted,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactsAdded,
    ContactsEncrypted,
    ContactsReplaced,
    CreateKeyed,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    Selection,
)
from campaigns.domain.moves import Move, Status
from campaigns.records.log_entry import Recorded
from command_api.commands.delete import DELETE
from command_api.commands.import_basis import import_rejection
from command_api.commands.lifecycle import MoveCampaign, hidden
from command_api.commands.re_execute import RE_EXECUTE, ReExecute
from command_api.commands.schedule import TIME_PAST
from command_api.commands.start import RESUME, START
from command_api.commands.stop import STOP
from command_api.commands.update import UPDATE, UpdateCampaign
from tests.simulation.auditor import Audit
from tests.simulation.history import Entry, rang_late
from tests.simulation.web import Exchange

SAYS: dict[str, tuple[type[AnyFact], ...]] = {
    "create": (CampaignCreated,),
    "start": (CampaignStarted, CampaignResumed),
    "resume": (CampaignResumed,),
    "pause": (CampaignPaused,),
    "stop": (CampaignStopped,),
    "contacts": (ImportCompleted,),
    "import": (ImportCompleted, ImportStarted),
    "update": (CampaignUpdated,),
    "delete": (CampaignDeleted,),
    "re-execute": (CampaignRearmed,),
    "schedule": (CampaignScheduled,),
    "unschedule": (CampaignUnscheduled,),
}
ENDS_A_PAUSE = (CampaignResumed, CampaignStarted, CampaignStopped, CampaignDeleted)
HALTS = ("pause", "stop", "delete")
# They alone make no contact count: a request that says it has no effect may be sent again.
HARMLESS = (ContactsAdded, ContactsEncrypted, ImportStarted, ImportFailed)
HOLDS = {"freeze", "stall", "sleep"}  # Of processes: they hear of nothing for a while.
CHANGED = "Contacts changed during the import"  # A late ring does that to an announced one.
LIST_GIVEN_UP = "The list was given up meanwhile"  # See lists.py.
SLACK_S = 0.05  # To be woken, and to answer.
SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def judge_answers(found: Audit) -> None:
    """Judge every answer, those to clients that have left included."""
    entries = {(e.partition.number, e.position): e for e in found.entries}
    by_request: dict[str, list[Entry]] = {}
    for entry in found.entries:
        if entry.accepted:
            by_request.setdefault(entry.envelope.correlation_id, []).append(entry)
    _judge_moments(found)
    surely_not = _surely_not(found)
    for exchange in found.world.exchanges:
        facts = [fact for entry in by_request.get(exchange.id, ()) for fact in entry.facts]
        did = [fact for fact in facts if not isinstance(fact, HARMLESS)]
        match exchange.status:
            case None:
                if did:
                    found.dangers["effective, and the client never heard"] += 1
            case 200 | 202:
                found.dangers[f"{exchange.verb} was done"] += 1
                _judge_yes(found, exchange, entries)
            case 503:
                effective = exchange.shape.get("may_still_take_effect")
                found.dangers[f"503 that {'had an' if did else 'never had an'} effect"] += 1
                if did and not effective:
                    found.find(6, f"{exchange.verb}: 503 said it would not take effect, it did")
                if exchange.id in surely_not:
                    found.dangers["503 since the brokers refused"] += 1
                    if effective:
                        found.find(
                            6, f"{exchange.verb}: 503 did not know what the brokers had said"
                        )
            case 400 | 404 | 422:
                found.dangers[f"{exchange.verb} was refused"] += 1
                if did:
                    found.find(6, f"{exchange.verb}: {exchange.status}, and it did {did}")
            case other:
                found.find(6, f"{exchange.verb} was answered {other}: {exchange.shape}")


def _surely_not(found: Audit) -> set[str]:
    """Return the requests whose every append the brokers refused, while their process lived."""
    if {deed.kind for deed in found.plan.deeds} & HOLDS:
        return set()
    refused, log = defaultdict[str, list[bool]](list), found.world.log
    for handed in log.handed.values():
        refused[handed.record.correlation_id].append(handed.record.id in log.refused)
    return {request for request, each in refused.items() if all(each)}


def _judge_yes(found: Audit, exchange: Exchange, entries: dict[tuple[int, int], Entry]) -> None:
    if exchange.position is None:
        if exchange.verb not in ALREADY_SO:
            found.find(6, f"{exchange.verb}: 2xx without a position")
        return
    entry = entries.get(exchange.position)
    facts = [f for f in (entry.facts if entry else ()) if isinstance(f, SAYS[exchange.verb])]
    if entry is None or not facts:
        found.find(6, f"{exchange.verb}: 2xx, and {exchange.position} is no such record")
        return
    if exchange.campaign_id is not None and getattr(facts[0], "campaign_id", 0) != (
        exchange.campaign_id
    ):
        found.find(6, f"{exchange.verb}: 2xx about another campaign")
    if entry.envelope.correlation_id != exchange.id:
        found.dangers["a key was recognised"] += 1
        keyed = entry.envelope.idempotency
        if keyed is None or keyed.key != exchange.key:
            found.find(6, f"{exchange.verb}: 2xx for what another request did")
    assert exchange.answered_at_s is not None, "it has a status"
    if entry.at_s > exchange.answered_at_s:
        found.find(6, f"{exchange.verb}: 2xx before it was in the log")
    if exchange.status == 200 and (exchange.verb in HALTS or _changes_who_is_called(entry)):
        _judge_silence(found, exchange, entry, exchange.answered_at_s)
        _judge_bound(found, exchange)
        _judge_guarantee(found, exchange, entry)
        if any(
            entry.position < resumed.position and resumed.at_s < exchange.answered_at_s
            for resumed in found.history.resumed.get(exchange.campaign_id or 0, ())
        ):
            found.dangers[f"resumed while a {exchange.verb} settled"] += 1


def _judge_guarantee(found: Audit, exchange: Exchange, entry: Entry) -> None:
    """Invariant 4: strict is said only where no permission of the run is best effort."""
    if (guarantee := exchange.shape.get("receipt", {}).get("guarantee")) is None:
        return
    found.dangers[f"a receipt said {guarantee}"] += 1
    campaign_id = exchange.campaign_id or 0
    rearmed = found.history.rearmed.get(campaign_id, ())
    since = max((at for at in rearmed if at < entry.position), default=0)
    later = any(at > entry.position for at in rearmed)  # It may be the receipt of another run.
    if guarantee != "strict" or later:
        return
    for permission in found.permissions.values():
        request = permission.request
        before = since < permission.entry.position < entry.position
        if request.campaign_id == campaign_id and before and not request.refuses_late:
            found.find(4, f"{exchange.verb} was called strict, {request.call_id} is not")


def _changes_who_is_called(entry: Entry) -> bool:
    """Say whether what was permitted before may ring no more: lists replaced, fewer attempts."""
    return any(
        isinstance(fact, ContactsReplaced)
        or (isinstance(fact, CampaignUpdated) and fact.settings is not None)
        for fact in entry.facts
    )


def _judge_bound(found: Audit, exchange: Exchange) -> None:
    """Where no process is held, no barrier waits longer than the terms of any permission."""
    shape, deeds = found.plan.shape, found.plan.deeds
    bound_s = max(shape.lease_s) + max(shape.carrier_timeout_s) + SLACK_S
    settled_s = exchange.shape.get("receipt", {}).get("settled_in_ms", 0.0) / 1000
    if settled_s > bound_s and not {deed.kind for deed in deeds} & HOLDS:
        found.find(4, f"{exchange.verb} was answered after {settled_s:.3f} s, not {bound_s:.3f}")


def _judge_silence(found: Audit, exchange: Exchange, entry: Entry, from_s: float) -> None:
    """Invariant 4: nothing that was permitted before begins to ring after the answer."""
    found.dangers[f"a {exchange.verb} was answered {exchange.status}"] += 1
    for permission in found.permissions.values():
        if (
            permission.request.campaign_id != exchange.campaign_id
            or permission.entry.position >= entry.position
        ):
            continue
        resolved = [e.at_s for _, e in permission.facts[:1]]
        if not resolved or resolved[0] > entry.at_s:
            found.dangers[f"a {exchange.verb} found permissions open"] += 1
            if not resolved or resolved[0] > from_s:
                found.dangers[f"a {exchange.verb} was answered by the bound"] += 1
        for ring in permission.rings:
            assert ring.began_at_s is not None, "it rang"
            if ring.began_at_s > from_s:
                if found.tardy(permission, ring):
                    found.dangers["a ring after a pause, excused"] += 1
                else:
                    found.find(
                        4,
                        f"{permission.request.call_id} rang at {ring.began_at_s:.4f}, after the"
                        f" {exchange.status} to {exchange.verb} at {from_s:.4f}",
                    )


# -- what changed nothing: its reason was true at some moment between request and answer ----------


def _no(exchange: Exchange) -> bool:
    return exchange.status in (400, 404)


def _already_so(exchange: Exchange) -> bool:
    return exchange.status == 200 and exchange.position is None and exchange.verb in ALREADY_SO


def _judge_moments(found: Audit) -> None:
    judged = [x for x in found.world.exchanges if _no(x) or _already_so(x)]
    pending = sorted(judged, key=lambda x: x.sent_at_s)
    campaigns, active = Campaigns(), list[Exchange]()
    phones = found.world.phones
    true: set[str] = set()
    paused_at: dict[int, Entry] = {}
    steadily: dict[str, Entry | None] = {}  # 400s to a pause: since which one, if ever since.

    def look(some: Iterable[Exchange]) -> None:
        for exchange in some:
            campaign_id = exchange.campaign_id or int(exchange.shape["id"])
            campaign = campaigns.get(campaign_id)
            if hidden(campaign, 1):
                campaign = None
            if _already_so(exchange):
                known = phones.known(campaign_id)
                if ALREADY_SO[exchange.verb](campaign, exchange, known):
                    true.add(exchange.id)
                continue
            if exchange.detail in (TIME_PAST, LIST_GIVEN_UP) or REASONS[exchange.verb](
                campaign, exchange
            ):
                true.add(exchange.id)
            if exchange.verb == "pause":
                pause = paused_at.get(campaign_id)
                if steadily.setdefault(exchange.id, pause) is not pause:
                    steadily[exchange.id] = None

    for entry in found.entries:
        while pending and pending[0].sent_at_s <= entry.at_s:
            active.append(pending.pop(0))
            look(active[-1:])
        for exchange in [x for x in active if (x.answered_at_s or 0.0) < entry.at_s]:
            active.remove(exchange)
        if entry.accepted:
            phones.fold(entry.facts)
            _fold(found, campaigns, entry, paused_at)
            look(active)
            late = rang_late(entry)
            true |= {x.id for x in active if x.detail == CHANGED and x.campaign_id in late}
    look(pending)
    for exchange in judged:
        if _already_so(exchange):
            found.dangers[f"{exchange.verb} was already so"] += 1
        if exchange.id not in true:
            found.find(6, f"{exchange.verb}: {exchange.status} {exchange.detail}; it never was so")
        pause = steadily.get(exchange.id)
        if pause is not None and exchange.answered_at_s is not None:
            _judge_silence(found, exchange, pause, exchange.answered_at_s)


def _fold(found: Audit, campaigns: Campaigns, entry: Entry, paused_at: dict[int, Entry]) -> None:
    recorded: Recorded = found.world.log.core._records[entry.partition][entry.position - 1]
    for fact in entry.facts:
        if isinstance(fact, CreateKeyed) or not isinstance(fact, AnyCampaignFact):
            continue
        campaign = campaigns.fold(fact, recorded)
        if isinstance(fact, CampaignCompleted) and campaign and campaign.counters.pending:
            found.find(8, f"{fact.campaign_id} completed with contacts that wait")
        if isinstance(fact, CampaignPaused):
            paused_at[fact.campaign_id] = entry
        elif isinstance(
            fact, CampaignResumed | CampaignStarted | CampaignStopped | CampaignDeleted
        ):
            paused_at.pop(fact.campaign_id, None)


def _by_decider(decider: Any) -> Callable[[Campaign | None, Exchange], bool]:
    def holds(campaign: Campaign | None, exchange: Exchange) -> bool:
        assert exchange.campaign_id is not None, "of a campaign"
        kind = UpdateCampaign if decider is UPDATE else MoveCampaign
        said = decider.decide(campaign, kind(exchange.campaign_id, 1, SOME_TIME))
        return isinstance(said, Rejected) and said.detail == exchange.detail

    return holds


def _not_running(campaign: Campaign | None, exchange: Exchange) -> bool:
    if campaign is None:
        return exchange.status == 404
    return exchange.status == 400 and campaign.status is not Status.RUNNING


def _no_other_run(campaign: Campaign | None, exchange: Exchange) -> bool:
    assert exchange.campaign_id is not None, "of a campaign"
    selection = Selection(json.loads(exchange.body)["contact_selection"])
    command = ReExecute(exchange.campaign_id, 1, SOME_TIME, selection=selection)
    said = RE_EXECUTE.decide(campaign, command)
    return isinstance(said, Rejected) and said.detail == exchange.detail


def _no_schedule(move: Move) -> Callable[[Campaign | None, Exchange], bool]:
    def holds(campaign: Campaign | None, exchange: Exchange) -> bool:
        if campaign is None:
            return exchange.status == 404
        return exchange.status == 400 and not campaign.allows(move)

    return holds


def _shut(move: Move) -> Callable[[Campaign | None, Exchange], bool]:
    def holds(campaign: Campaign | None, exchange: Exchange) -> bool:
        no = import_rejection(campaign, 1, move)
        return no is not None and no.detail == exchange.detail

    return holds


def _same_settings(campaign: Campaign | None, exchange: Exchange, known: set[str]) -> bool:
    assert exchange.campaign_id is not None, "of a campaign"
    settings = json.loads(exchange.body)["settings"]
    command = UpdateCampaign(exchange.campaign_id, 1, SOME_TIME, settings=settings)
    return UPDATE.decide(campaign, command) == UNCHANGED


def _same_schedule(campaign: Campaign | None, exchange: Exchange, known: set[str]) -> bool:
    at = datetime.fromisoformat(json.loads(exchange.body)["scheduled_at"])
    schedule = campaign.schedule if campaign else None
    return schedule is not None and schedule.first_at == at


def _created(campaign: Campaign | None, exchange: Exchange, known: set[str]) -> bool:
    """A create that came with its key before: the campaign is the one that it made."""
    return campaign is not None and campaign.created.name == json.loads(exchange.body)["name"]


def _armed(campaign: Campaign | None, exchange: Exchange, known: set[str]) -> bool:
    return campaign is not None and campaign.status is Status.SCHEDULED


def _known_numbers(campaign: Campaign | None, exchange: Exchange, known: set[str]) -> bool:
    given = {one["phone_number"] for one in json.loads(exchange.body)["contacts"]}
    return campaign is not None and given <= known


# What may have had nothing to record, and when that is true.
ALREADY_SO: dict[str, Callable[[Campaign | None, Exchange, set[str]], bool]] = {
    "create": _created,
    "contacts": _known_numbers,
    "update": _same_settings,
    "schedule": _same_schedule,
    "start": _armed,
}
REASONS: dict[str, Callable[[Campaign | None, Exchange], bool]] = {
    "pause": _not_running,
    "start": _by_decider(START),
    "resume": _by_decider(RESUME),
    "stop": _by_decider(STOP),
    "contacts": _shut(Move.APPEND),
    "import": _shut(Move.IMPORT),
    "update": _by_decider(UPDATE),
    "delete": _by_decider(DELETE),
    "re-execute": _no_other_run,
    "schedule": _no_schedule(Move.SCHEDULE),
    "unschedule": _no_schedule(Move.UNSCHEDULE),
}
