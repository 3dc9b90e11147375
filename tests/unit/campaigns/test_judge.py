"""Each kind of violation: a log that has it, where it is found; a neighbour, which is clean."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from campaigns.audit.judge.permission import RecordedRing
from campaigns.audit.judge.violations import INVARIANTS, Kind
from campaigns.audit.verification import Verification
from campaigns.domain.facts import (
    Abandonment,
    CallEnded,
    CallRequested,
    CampaignCompleted,
    CampaignDue,
    CampaignErased,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUpdated,
    ContactErased,
    ContactsAdded,
    ContactSkipped,
    ContactsReplaced,
    Disposition,
    ImportCompleted,
    ImportSource,
    ImportStarted,
    ListClosed,
    Selection,
    SkipReason,
)
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.domain.values.schedule import Schedule
from campaigns.records.installation import Installation
from campaigns.testing.sample_records import FIRST, NOON
from tests.support import pages
from tests.support.sample_facts import call_ended, call_started, campaign_created
from tests.support.told_log import (
    RingsInMemory,
    Told,
    ToldLog,
    after,
    asked,
    given_back,
    keyed,
    late,
    record_of,
    ring,
    running,
)


class Case(NamedTuple):
    """A log that breaks a promise at a place, and one beside it that does not."""

    kind: Kind
    broken: Sequence[Told]
    at: str
    kept: Sequence[Told]
    broken_rings: Sequence[RecordedRing] | None = None
    kept_rings: Sequence[RecordedRing] | None = None
    at_rest: bool = False
    level: int = LEVEL_NEWEST
    also: tuple[Kind, str] | None = None  # What cannot be without it.


A, B = asked("a"), asked("b")
ANSWERED, BUSY = Disposition.ANSWERED, Disposition.BUSY
PAUSED = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)
RESUMED = CampaignResumed(campaign_id=1, reason=None, resumed_at=NOON)
STOPPED = CampaignStopped(campaign_id=1, reason=None, stopped_at=NOON)
COMPLETED = CampaignCompleted(campaign_id=1, run=1, completed_at=NOON)
REARMED = CampaignRearmed(
    campaign_id=1,
    selection=Selection.FAILED_ONLY,
    contacts=1,
    untouched=0,
    rearmed_at=NOON,
)
STARTED = CampaignStarted(campaign_id=1, run=2, started_at=NOON)
REPLACED = ContactsReplaced(campaign_id=1, import_id="new", through=2, replaced_at=NOON)
SCHEDULED = CampaignScheduled(
    campaign_id=1, schedule=Schedule(first_at=NOON, time_zone="UTC"), scheduled_at=NOON
)
DRAFT = campaign_created(1, NOON, rows=2)
CHUNK = ContactsAdded(import_id="new", first_row=1, rows=(Row(phone_number="+12025550101"),))
DROPPED = ListClosed(import_id="new", counts=False, closed_at=NOON)
CLOSED = ListClosed(import_id="new", counts=True, closed_at=NOON)
ANNOUNCED = ImportStarted(
    campaign_id=1, import_id="new", number=1, file_name=None, rows=1, started_at=NOON
)
FEWER = CampaignUpdated(campaign_id=1, settings=CampaignSettings(max_attempts=1), updated_at=NOON)
ERASED = ContactErased(campaign_id=1, contact_id=1, key_id="k", row=1, erased_at=NOON)
ALL_ERASED = CampaignErased(campaign_id=1, through=2, key_ids=("k",), erased_at=NOON)
SKIPPED = ContactSkipped(
    campaign_id=1, contact_id=1, run=1, reason=SkipReason.ERASED, tried=False, skipped_at=NOON
)
SKIPPED_TOO = replace(SKIPPED, contact_id=2)


def _due(after_s: float = 0.0, due_s: float = 0.0, *, rearms: bool = False) -> CampaignDue:
    return CampaignDue(
        campaign_id=1, run=1, due_at=after(due_s), rearms=rearms, started_at=after(after_s)
    )


def _counts(rows: int) -> ImportCompleted:
    return ImportCompleted(
        campaign_id=1, import_id="new", number=None, source=ImportSource.API, file_name=None,
        first_contact_id=3, rows=rows, skipped=0, failed=0, errors=(), variable_mappings={},
        available_variables=(), completed_at=NOON,
    )  # fmt: skip


def _again(call: CallRequested, **fields: Any) -> CallEnded:
    return msgspec.structs.replace(call_ended(call, NOON, BUSY), retry_at=NOON, **fields)


DONE: list[Told] = [A, call_ended(A, NOON, ANSWERED)]
BOTH: list[Told] = [
    asked("a"),
    asked("b", 2),
    call_ended(A, NOON, BUSY),
    call_ended(asked("b", 2), NOON, BUSY),
]
SECOND = asked("b", attempt=2)
LAST = asked("c", 2, run=2)
WEAK = asked("a", refuses_late=False)

CASES = [
    Case(Kind.LEVEL_NOT_RAISED, [record_of(DRAFT, level=3)], "0@1", [DRAFT], level=2),
    Case(
        Kind.PERMITTED_NOT_RUNNING,
        [*running(), PAUSED, A],
        "0@4",
        [*running(), PAUSED, RESUMED, A],
    ),
    Case(Kind.PERMITTED_NOT_RUNNING, [*running(), STOPPED, A], "0@4", [*running(), A, STOPPED]),
    Case(Kind.PERMITTED_NOT_RUNNING, [DRAFT, A], "0@2", [*running(), A]),
    Case(Kind.PERMITTED_NOT_RUNNING, [A], "0@1", [PAUSED]),
    Case(Kind.BEGAN_UNSCHEDULED, [DRAFT, _due()], "0@2", [DRAFT, SCHEDULED, _due()]),
    Case(Kind.BEGAN_EARLY, [DRAFT, SCHEDULED, _due(1, 2)], "0@3", [DRAFT, SCHEDULED, _due(2, 2)]),
    Case(Kind.RANG_UNPERMITTED, running(), "rings:1", [*running(), A], [ring(A)], [ring(A)]),
    Case(
        Kind.RANG_FOR_ANOTHER,
        [*running(), A],
        "0@3",
        [*running(), A],
        [ring(A, contact_id=2)],
        [ring(A)],
    ),
    Case(
        Kind.RANG_FOR_ANOTHER,
        [*running(), A],
        "0@3",
        [*running(), A],
        [ring(A, carrier="another")],
        [ring(A)],
    ),
    Case(
        Kind.RANG_AFTER_LEASE,
        [*running(), A],
        "0@3",
        [*running(), A],
        [ring(A, 2.001)],
        [ring(A, 2.0)],
    ),
    Case(  # Who cannot refuse late rings may ring for as long as a pause waits.
        Kind.RANG_AFTER_LEASE,
        [*running(), WEAK],
        "0@3",
        [*running(), WEAK],
        [ring(WEAK, 7.001)],
        [ring(WEAK, 7.0)],
    ),
    Case(
        Kind.RANG_WHILE_PAUSED,
        [*running(), A, PAUSED, given_back(A)],
        "0@4",
        [*running(), A, PAUSED, call_started(A, NOON)],
        [ring(A)],
        [ring(A)],
        also=(Kind.RANG_UNRECORDED, "0@5"),
    ),
    Case(
        Kind.RANG_WHILE_PAUSED,
        [*running(), A, PAUSED],
        "0@4",
        [*running(), A, PAUSED, RESUMED],
        [ring(A, 7.1)],
        [ring(A)],
        also=(Kind.RANG_AFTER_LEASE, "0@3"),
    ),
    Case(
        Kind.LATE_ON_RECORD,
        [*running(), A, (given_back(A, Abandonment.RANG_LATE), late(A))],
        "0@4",
        [*running(), A, given_back(A)],
    ),
    Case(Kind.NO_SUCH_CONTACT, [*running(), asked("a", 3)], "0@3", [*running(), asked("a", 2)]),
    Case(
        Kind.NO_SUCH_CONTACT,
        [*running(), A, REPLACED, given_back(A), B],
        "0@6",
        [*running(), A, REPLACED, _again(A), SECOND],
    ),
    Case(Kind.ASKED_WHILE_OPEN, [*running(), A, B], "0@4", [*running(), A, given_back(A), B]),
    Case(
        Kind.ASKED_WHEN_DONE,
        [*running(), *DONE, SECOND],
        "0@5",
        [*running(), A, _again(A), SECOND],
    ),
    Case(
        Kind.ASKED_WHEN_DONE,
        [*running(), asked("b", 2), BOTH[3], *DONE, COMPLETED, REARMED, STARTED, asked("c", run=2)],
        "0@10",
        [*running(), asked("b", 2), BOTH[3], *DONE, COMPLETED, REARMED, STARTED, LAST],
    ),
    Case(
        Kind.ASKED_WHEN_ERASED,
        [*running(), ERASED, A],
        "0@4",
        [*running(), A, ERASED],  # As a call that was under way.
    ),
    Case(
        Kind.ASKED_WHEN_ERASED,
        [*running(), ALL_ERASED, A],
        "0@4",
        [*running(), ALL_ERASED, SKIPPED, SKIPPED_TOO, COMPLETED],
    ),
    Case(
        Kind.ATTEMPTS_SPENT,
        [*running(), A, _again(A), FEWER, SECOND],
        "0@6",
        [*running(), A, _again(A), SECOND],
    ),
    Case(
        Kind.ATTEMPT_MISCOUNTED,
        [*running(), A, given_back(A), SECOND],
        "0@5",
        [*running(), A, given_back(A), B],
    ),
    Case(
        Kind.NOT_OPEN,
        [*running(), A, given_back(A), call_ended(A, NOON, BUSY)],
        "0@5",
        [*running(), A, call_started(A, NOON), call_ended(A, NOON, BUSY)],
    ),
    Case(Kind.NOT_OPEN, [*running(), call_started(A, NOON)], "0@3", [*running(), A]),
    Case(
        Kind.STARTED_TWICE,
        [*running(), A, call_started(A, NOON), call_started(A, NOON)],
        "0@5",
        [*running(), A, call_started(A, NOON)],
    ),
    Case(
        Kind.STARTED_AND_ABANDONED,
        [*running(), A, call_started(A, NOON), given_back(A)],
        "0@5",
        [*running(), A, given_back(A)],
    ),
    Case(
        Kind.OVER_WITH_OPEN_CALLS,
        [*running(1), A, COMPLETED],
        "0@4",
        [*running(1), *DONE, COMPLETED],
    ),
    Case(
        Kind.RANG_TWICE,
        [*running(), A],
        "0@3",
        [*running(), A],
        [ring(A), ring(A)],
        [ring(A)],
    ),
    Case(
        Kind.STARTED_UNRUNG,
        [*running(), A, call_started(A, NOON)],
        "0@4",
        [*running(), A, call_started(A, NOON)],
        [],
        [ring(A)],
    ),
    Case(
        Kind.RANG_UNRECORDED,
        [*running(), A, given_back(A)],
        "0@4",
        [*running(), A, given_back(A)],
        [ring(A)],
        [],
    ),
    Case(
        Kind.RANG_UNRECORDED,
        [*running(), A, call_ended(A, NOON, Disposition.FAILED)],
        "0@4",
        [*running(), A, call_ended(A, NOON, Disposition.UNKNOWN)],
        [ring(A)],
        [ring(A)],
    ),
    Case(
        Kind.STILL_OPEN,
        [*running(), A, STOPPED],
        "0@3",
        [*running(), A, STOPPED, given_back(A)],
        at_rest=True,
    ),
    Case(
        Kind.KEY_TWICE,
        [*running(), keyed(PAUSED, "k"), RESUMED, keyed(PAUSED, "k")],
        "0@5",
        [*running(), keyed(PAUSED, "k"), RESUMED, keyed(PAUSED, "l")],
    ),
    Case(
        Kind.LIST_DROPPED_AND_COUNTED,
        [DRAFT, CHUNK, DROPPED, _counts(1)],
        "0@4",
        [DRAFT, CHUNK, (_counts(1), CLOSED)],
    ),
    Case(
        Kind.LIST_AFTER_ITS_END,
        [DRAFT, CHUNK, (_counts(1), CLOSED), CHUNK],
        "0@4",
        [DRAFT, CHUNK, CHUNK, (_counts(1), CLOSED)],
    ),
    Case(
        Kind.LIST_AFTER_ITS_END,
        [DRAFT, CHUNK, DROPPED, DROPPED],
        "0@4",
        [DRAFT, CHUNK, DROPPED],
    ),
    Case(Kind.LIST_ROWS_MISSING, [DRAFT, CHUNK, _counts(2)], "0@3", [DRAFT, CHUNK, _counts(1)]),
    Case(Kind.LIST_ROWS_MISSING, [DRAFT, CHUNK, CLOSED], "0@3", [DRAFT, CHUNK, DROPPED]),
    Case(
        Kind.LIST_STILL_OPEN,
        [DRAFT, record_of(CHUNK, level=3)],
        "0@2",
        [DRAFT, record_of(CHUNK, level=3), DROPPED],
        at_rest=True,
    ),
    Case(Kind.LIST_STILL_OPEN, [record_of(CHUNK, level=3)], "0@1", [CHUNK], at_rest=True),
    Case(  # What an import announces ends by a fact of the import.
        Kind.LIST_STILL_OPEN,
        [DRAFT, record_of(CHUNK, level=3)],
        "0@2",
        [DRAFT, ANNOUNCED, record_of(CHUNK, level=3)],
        at_rest=True,
    ),
    Case(
        Kind.COMPLETED_EARLY,
        [*running(), *DONE, COMPLETED],
        "0@5",
        [*running(), *BOTH, COMPLETED],
    ),
    Case(
        Kind.COMPLETED_EARLY,
        [*running(), *BOTH, CHUNK, _counts(1), COMPLETED],
        "0@9",
        [*running(), *DONE, REPLACED, COMPLETED],
    ),
    Case(Kind.NOT_FINISHED, running(), "0@2", [*running(), PAUSED], at_rest=True),
]


async def _found(
    case: Case, told: Sequence[Told], rings: Sequence[RecordedRing] | None = None
) -> list[tuple[Kind, str]]:
    kept = RingsInMemory(rings) if rings is not None else None
    log = ToldLog().tell(told).log
    findings = await Verification(
        log, Installation(case.level), [FIRST], kept, at_rest=case.at_rest
    ).run()
    return [(violation.kind, violation.at) for violation in findings.violations]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.label)
async def test_each_violation_is_found_where_it_is(case: Case) -> None:
    found = await _found(case, case.broken, case.broken_rings)
    assert found == [*([case.also] if case.also else []), (case.kind, case.at)]
    assert await _found(case, case.kept, case.kept_rings) == []


def test_every_kind_has_a_log() -> None:
    assert {case.kind for case in CASES} == set(Kind)


def test_each_invariant_is_the_sentence_of_the_architecture_page() -> None:
    page = (pages.ROOT / "docs/architecture.md").read_text()
    for number, sentence in INVARIANTS.items():
        assert f"\n{number}. **{sentence}**" in page
