"""Given a campaign, when contacts come, then these facts, nothing, or this reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from campaigns.domain.campaign import Campaign, ImportUnderWay, OpenCall
from campaigns.domain.decider import STALE, UNCHANGED, Reason, Rejected
from campaigns.domain.facts import (
    ContactsAdded,
    ContactsReplaced,
    ImportCompleted,
    ImportFailed,
    ImportSource,
    ImportStarted,
)
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import campaign_stream, contacts_stream, import_stream
from command_api.commands.complete_import import (
    COMPLETE_IMPORT,
    CompleteImport,
    Skipped,
    decide_complete,
)
from command_api.commands.fail_import import FAIL_IMPORT, FailImport, decide_fail
from command_api.commands.file_import import BRING_FILE
from command_api.commands.import_basis import basis_of
from command_api.commands.start_import import StartImport, decide_start
from command_api.imports.rows import contacts_added
from tests.support.import_world import created

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = StartImport(42, 7, "i1", "people.csv", 3, NOON)
FAIL = FailImport(42, "i1", "a test", NOON)
ROWS = (Row(phone_number="+15551234567"), Row(phone_number="+15551234568"))
PERMISSION = OpenCall("c1", 1, 1, 1, 1, NOON, NOON + timedelta(seconds=2), 2.0, 5.0, True)
CALLING = structs.replace(PERMISSION, started_at=NOON, execution=1)
UNDER_WAY = ImportUnderWay("i1", 4, 3, NOON)


def campaign(status: Status = Status.DRAFT, contacts: int = 5) -> Campaign:
    made = Campaign(created(), status=status, contacts_end=contacts, imports=3)
    made.counters.total = made.counters.pending = made.counters.untouched = contacts
    return made


def complete(
    at: Campaign, source: ImportSource = ImportSource.CSV, *, announced: bool = False
) -> CompleteImport:
    return CompleteImport(
        campaign_id=42,
        organization_id=7,
        import_id="i1",
        source=source,
        file_name="people.csv",
        chunks=()
        if announced
        else (contacts_added("i1", 1, ROWS[:1]), contacts_added("i1", 2, ROWS[1:])),
        rows=2,
        skipped=Skipped(1, 2),
        variable_mappings={},
        available_variables=("name",),
        basis=basis_of(at, replacing=source is ImportSource.CSV),
        announced=announced,
        now=NOON,
    )


def reason(decision: object) -> Reason | None:
    return decision.reason if isinstance(decision, Rejected) else None


def test_an_import_is_announced_with_the_next_number() -> None:
    (started,) = decide_start(campaign(), START) or ()  # type: ignore[misc]
    assert isinstance(started, ImportStarted)
    assert (started.number, started.rows, started.import_id) == (4, 3, "i1")


def test_a_list_is_decided_in_its_order() -> None:
    at = campaign(Status.PAUSED)
    decision = decide_complete(at, complete(at))
    assert isinstance(decision, tuple)
    replaced, first, second, completed = decision
    assert isinstance(replaced, ContactsReplaced)
    assert replaced.through == 5
    assert isinstance(first, ContactsAdded)
    assert isinstance(second, ContactsAdded)
    assert (first.first_row, second.first_row) == (1, 2)
    assert isinstance(completed, ImportCompleted)
    assert (completed.number, completed.first_contact_id, completed.rows) == (4, 6, 2)


def test_nobody_is_replaced_where_nobody_is_untouched() -> None:
    at = campaign()
    at.counters.untouched, at.tried = 0, 5
    decision = decide_complete(at, complete(at))
    assert isinstance(decision, tuple)
    assert not any(isinstance(fact, ContactsReplaced) for fact in decision)


def test_json_appends_and_has_no_number() -> None:
    at = campaign(Status.RUNNING)
    at.calls["c1"] = PERMISSION  # Of no matter to an append.
    decision = decide_complete(at, complete(at, ImportSource.API))
    assert isinstance(decision, tuple)
    assert not any(isinstance(fact, ContactsReplaced) for fact in decision)
    completed = decision[-1]
    assert isinstance(completed, ImportCompleted)
    assert completed.number is None


@pytest.mark.parametrize("status", list(Status))
def test_contacts_come_in_these_statuses_only(status: Status) -> None:
    at = campaign(status)
    imports = {Status.DRAFT, Status.SCHEDULED, Status.PAUSED}
    wrong = None if status in imports else Reason.WRONG_STATUS
    assert reason(decide_start(at, START)) is wrong
    assert reason(decide_complete(at, complete(at))) is wrong
    wrong = None if status in imports | {Status.RUNNING} else Reason.WRONG_STATUS
    assert reason(decide_complete(at, complete(at, ImportSource.API))) is wrong


def test_an_unknown_campaign_takes_nothing() -> None:
    assert reason(decide_start(None, START)) is Reason.UNKNOWN_CAMPAIGN
    assert reason(decide_complete(None, complete(campaign()))) is Reason.UNKNOWN_CAMPAIGN
    assert decide_fail(None, FAIL) == UNCHANGED


def test_another_organizations_campaign_is_unknown() -> None:
    at = campaign()
    other = replace(complete(at), organization_id=8)
    assert reason(decide_complete(at, other)) is Reason.UNKNOWN_CAMPAIGN
    assert reason(decide_start(at, replace(START, organization_id=8))) is Reason.UNKNOWN_CAMPAIGN


def test_one_import_at_a_time() -> None:
    at = campaign()
    at.importing = UNDER_WAY
    assert reason(decide_start(at, START)) is Reason.IMPORT_IN_PROGRESS
    assert reason(decide_complete(at, complete(at))) is Reason.IMPORT_IN_PROGRESS
    assert reason(decide_complete(at, complete(at, ImportSource.API))) is Reason.IMPORT_IN_PROGRESS


def test_an_announced_import_completes_under_its_number() -> None:
    at = campaign()
    at.imports, at.importing = 4, UNDER_WAY
    decision = decide_complete(at, complete(at, announced=True))
    assert isinstance(decision, tuple)
    replaced, completed = decision
    assert isinstance(replaced, ContactsReplaced)
    assert isinstance(completed, ImportCompleted)
    assert completed.number == 4


@pytest.mark.parametrize("other", [None, ImportUnderWay("i2", 5, 3, NOON)])
def test_an_import_that_was_given_up_never_completes(other: ImportUnderWay | None) -> None:
    at = campaign()
    at.importing = other
    assert reason(decide_complete(at, complete(at, announced=True))) is Reason.UNKNOWN_IMPORT
    assert decide_fail(at, FAIL) == UNCHANGED


def test_an_open_permission_must_be_settled_first_and_a_call_need_not() -> None:
    at = campaign(Status.PAUSED)
    at.calls["c1"] = PERMISSION
    assert decide_start(at, START) == STALE
    assert decide_complete(at, complete(at)) == STALE
    at.calls["c1"] = CALLING
    assert isinstance(decide_start(at, START), tuple)
    assert isinstance(decide_complete(at, complete(at)), tuple)


@pytest.mark.parametrize(
    ("moved", "replacing_too_only"),
    [
        ({"contacts_end": 6}, False),
        ({"replaced_through": 5}, False),
        ({"run": 2}, True),
        ({"paused_at": NOON}, True),
        ({"executions": 1}, True),
        ({"imports": 4}, True),
    ],
)
def test_a_list_is_read_again_when_its_basis_moves(
    moved: dict[str, object], replacing_too_only: bool
) -> None:
    at = campaign(Status.PAUSED)
    replacing, appending = complete(at), complete(at, ImportSource.API)
    for name, value in moved.items():
        setattr(at, name, value)
    assert decide_complete(at, replacing) == STALE
    assert (decide_complete(at, appending) == STALE) is not replacing_too_only


def test_no_new_contact_appends_nothing_but_replaces() -> None:
    at = campaign()
    nothing = replace(complete(at, ImportSource.API), rows=0, chunks=())
    assert decide_complete(at, nothing) == UNCHANGED
    assert isinstance(decide_complete(at, replace(complete(at), rows=0, chunks=())), tuple)


def test_an_import_under_way_can_be_given_up() -> None:
    at = campaign()
    at.importing = UNDER_WAY
    (failed,) = decide_fail(at, FAIL) or ()  # type: ignore[misc]
    assert isinstance(failed, ImportFailed)
    assert (failed.number, failed.reason) == (4, "a test")


def test_everything_that_the_decisions_rest_on_is_in_their_conditions() -> None:
    all_three = {campaign_stream(42), contacts_stream(42), import_stream("i1")}
    assert set(BRING_FILE.streams(START)) == all_three
    assert set(COMPLETE_IMPORT.streams(complete(campaign()))) == all_three
    assert set(FAIL_IMPORT.streams(FAIL)) == {contacts_stream(42), import_stream("i1")}
