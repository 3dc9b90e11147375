"""Scheduled campaigns begin when their time comes, recur, fail when too late: by example."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from campaigns.domain.facts import (
    AnyCampaignFact,
    AnyFact,
    CallRequested,
    CampaignCompleted,
    CampaignDue,
    CampaignFailed,
    CampaignScheduled,
    CampaignUnscheduled,
    CampaignUpdated,
    Disposition,
    ImportCompleted,
    ImportSource,
    RunEnded,
    Selection,
)
from campaigns.domain.moves import Status
from campaigns.domain.values.campaign_settings import CallingHours
from campaigns.domain.values.schedule import Frequency, Recurrence, Schedule
from campaigns.domain.values.stream_names import campaign_stream, contacts_stream
from campaigns.gates.gates import within_hours
from campaigns.gates.hours import opens_at
from campaigns.gates.room import Reading
from dialer.calls.effects import Offer
from dialer.calls.inputs import Working
from dialer.decisions.lifecycle import BEGIN, BeginScheduled, due
from tests.support.folded_journal import FoldedJournal
from tests.unit.dialer.rig import Rig, offered, offers

HOUR = timedelta(hours=1)


def daily(rig: Rig, end_date: date | None = None) -> Schedule:
    first_at = rig.now + HOUR
    recurrence = Recurrence(
        frequency=Frequency.DAILY,
        time=f"{first_at:%H:%M}",
        time_zone="UTC",
        end_date=end_date,
        first_day=first_at.date(),
    )
    first_at = first_at.replace(second=0, microsecond=0)
    return Schedule(first_at=first_at, time_zone="UTC", recurrence=recurrence)


def scheduled(rig: Rig, schedule: Schedule | None = None, contacts: int = 1) -> None:
    rig.create(contacts=contacts)
    schedule = schedule or Schedule(first_at=rig.now + HOUR, time_zone="UTC")
    rig.write(CampaignScheduled(campaign_id=1, schedule=schedule, scheduled_at=rig.now))
    assert rig.react(Working(frozenset({0}))) == []


def test_it_begins_when_its_time_comes_and_not_before() -> None:
    rig = Rig()
    scheduled(rig)
    assert not offers(rig.after(3590))
    (offer,) = offers(rig.after(11))
    (fact,) = offer.facts
    assert isinstance(fact, CampaignDue)
    assert (fact.run, fact.rearms) == (1, False)
    assert offer.streams == (campaign_stream(1), contacts_stream(1))
    (asked,) = offers(rig.accept(offer))
    assert isinstance(asked.facts[0], CallRequested)


def test_it_is_offered_once_and_again_when_it_is_not_read_back() -> None:
    rig = Rig()
    scheduled(rig)
    assert len(offers(rig.after(3605))) >= 1
    rig.state.queue(1).transition_at = rig.boot
    assert not offers(rig.after(1))
    assert len(offers(rig.after(4))) == 1


def test_one_that_was_unscheduled_begins_nothing() -> None:
    rig = Rig()
    scheduled(rig)
    rig.write(CampaignUnscheduled(campaign_id=1, unscheduled_at=rig.now))
    assert not offers(rig.after(7200))


def test_another_dialers_partition_begins_nothing_here() -> None:
    rig = Rig()
    scheduled(rig)
    rig.react(Working(frozenset()))
    assert not offers(rig.after(7200))


def test_a_little_late_it_begins_once_and_too_late_it_fails() -> None:
    for late_s, kind in ((3600 + 3500, CampaignDue), (3600 + 3700, CampaignFailed)):
        rig = Rig()
        scheduled(rig)
        rig.passes(late_s)
        offered(rig.react(), kind)  # Whichever tick wakes it first.


def test_a_failed_one_calls_nobody_and_says_why() -> None:
    rig = Rig()
    scheduled(rig)
    rig.passes(9000)
    (offer,) = rig.react()
    assert isinstance(offer, Offer)
    assert not rig.accept(offer)
    campaign = rig.campaigns.by_id[1]
    assert campaign.status is Status.FAILED
    assert campaign.failure is not None
    assert campaign.failure.startswith("It was due at 2026-03-01 13:00:00 UTC")


def test_nobody_to_call_is_a_failure_too() -> None:
    rig = Rig()
    scheduled(rig, contacts=0)
    assert offered(rig.after(3601)[:1], CampaignFailed).reason == "No contacts found"


def test_an_import_under_way_is_waited_for() -> None:
    told = FoldedJournal()
    told.create()
    schedule = Schedule(first_at=told.now + HOUR, time_zone="UTC")
    told.write(CampaignScheduled(campaign_id=1, schedule=schedule, scheduled_at=told.now))
    import_id = told.begin_import(2)
    told.after(minutes=70)
    assert not due(told.campaign, told.now)
    told.fail_import(import_id)
    assert due(told.campaign, told.now)


@pytest.mark.parametrize("fails", [False, True])
def test_the_grace_counts_from_the_end_of_an_import_that_was_waited_for(fails: bool) -> None:
    told = FoldedJournal()
    told.create(contacts=1)
    schedule = Schedule(first_at=told.now + HOUR, time_zone="UTC")
    told.write(CampaignScheduled(campaign_id=1, schedule=schedule, scheduled_at=told.now))
    import_id = told.begin_import(2)
    told.after(minutes=600)
    if fails:
        told.fail_import(import_id)
    else:
        told.write(imported(told, number=1, rows=0))
    told.after(minutes=59)
    assert isinstance(begun(told), CampaignDue)
    told.after(minutes=2)
    assert isinstance(begun(told), CampaignFailed), "no dialer ran, for longer than the grace"


def begun(told: FoldedJournal) -> AnyFact:
    """Return what a dialer says of a campaign whose time has come."""
    facts = BEGIN.decide(told.campaign, BeginScheduled(1, told.now, HOUR.total_seconds()))
    assert isinstance(facts, tuple)
    return facts[0]


def imported(told: FoldedJournal, *, number: int | None, rows: int) -> ImportCompleted:
    return ImportCompleted(
        campaign_id=1, import_id="a list", number=number, source=ImportSource.API, file_name=None,
        first_contact_id=2, rows=rows, skipped=0, failed=0, errors=(), variable_mappings={},
        available_variables=(), completed_at=told.now,
    )  # fmt: skip


def moves_updated_at(told: FoldedJournal) -> list[AnyCampaignFact]:
    """Return facts that a scheduled campaign may meet, which are no end of an import."""
    return [
        CampaignUpdated(campaign_id=1, name="Other", updated_at=told.now),
        imported(told, number=None, rows=0),  # Contacts as JSON: a start does not wait for them.
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_nothing_else_moves_the_grace(which: int) -> None:
    told = FoldedJournal()
    told.create(contacts=1)
    schedule = Schedule(first_at=told.now + HOUR, time_zone="UTC")
    told.write(CampaignScheduled(campaign_id=1, schedule=schedule, scheduled_at=told.now))
    told.after(minutes=110)
    told.write(moves_updated_at(told)[which])
    assert isinstance(begun(told), CampaignDue)
    told.after(minutes=11)
    assert isinstance(begun(told), CampaignFailed)


def run_of(rig: Rig, contact_ids: tuple[int, ...], effects: Sequence[object]) -> Sequence[object]:
    """Call the contacts that are requested, each to its end; return the effects after that."""
    asked = [offer for offer in effects if isinstance(offer, Offer)]
    assert [fact.contact_id for o in asked for fact in o.facts if isinstance(fact, CallRequested)]
    last: Sequence[object] = ()
    for offer, contact_id in zip(asked, contact_ids, strict=True):
        (fact,) = offer.facts
        assert isinstance(fact, CallRequested)
        assert fact.contact_id == contact_id
        rig.accept(offer)
        rig.end(fact.call_id, contact_id, Disposition.ANSWERED)
        last = rig.react()
    return last


def test_a_recurring_one_calls_everybody_again_in_its_next_run() -> None:
    rig = Rig()
    scheduled(rig, daily(rig), contacts=2)
    (begun,) = offers(rig.after(3601))
    (ended,) = run_of(rig, (1, 2), rig.accept(begun))
    assert isinstance(ended, Offer)
    (fact,) = ended.facts
    assert isinstance(fact, RunEnded)
    assert fact.next_at == datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
    assert not rig.accept(ended)
    campaign = rig.campaigns.by_id[1]
    assert (campaign.status, campaign.counters.completed) == (Status.SCHEDULED, 2)
    (begun,) = offers(rig.after(86_400))
    (fact,) = begun.facts
    assert isinstance(fact, CampaignDue)
    assert (fact.run, fact.rearms) == (2, True)
    effects = rig.accept(begun)
    assert campaign.counters.completed == 0
    run_of(rig, (1, 2), effects)
    assert (campaign.run, campaign.executions) == (2, 4)


def test_after_its_last_day_it_completes_with_its_last_run() -> None:
    rig = Rig()
    scheduled(rig, daily(rig, end_date=date(2026, 3, 1)))
    (begun,) = offers(rig.after(3601))
    (ended,) = run_of(rig, (1,), rig.accept(begun))
    assert isinstance(ended, Offer)
    assert isinstance(ended.facts[0], CampaignCompleted)


def test_taken_back_between_two_runs_it_is_a_draft_of_everybody() -> None:
    told = FoldedJournal()
    told.running(contacts=2)
    told.call(1)
    told.call(2)
    ended = RunEnded(campaign_id=1, run=1, next_at=told.now + HOUR, ended_at=told.now)
    told.write(ended)
    told.write(CampaignUnscheduled(campaign_id=1, unscheduled_at=told.now))
    campaign = told.campaign
    assert (campaign.status, campaign.counters.pending) == (Status.DRAFT, 2)
    assert (campaign.epoch, campaign.selection) == (1, Selection.ALL)


OFFICE = CallingHours(start="09:00", end="17:00", days=(1, 2, 3, 4, 5), time_zone="UTC")
LATE = CallingHours(start="16:00", end="20:00", days=(1, 2, 3, 4, 5, 6, 7), time_zone="UTC")


def with_hours(hours: CallingHours, of_schedule: CallingHours | None = None) -> FoldedJournal:
    told = FoldedJournal()
    told.create()
    schedule = Schedule(first_at=told.now, time_zone="UTC", hours=of_schedule)
    told.write(CampaignScheduled(campaign_id=1, schedule=schedule, scheduled_at=told.now))
    settings = replace(told.campaign.settings, calling_hours=hours)
    told.write(CampaignUpdated(campaign_id=1, settings=settings, updated_at=told.now))
    told.write(
        CampaignDue(campaign_id=1, run=1, due_at=told.now, rearms=False, started_at=told.now)
    )
    return told


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02T08:59:59", "2026-03-02T09:00:00"),  # A Monday.
        ("2026-03-02T09:00:00", None),
        ("2026-03-02T16:59:59", None),
        ("2026-03-02T17:00:00", "2026-03-03T09:00:00"),
        ("2026-03-06T17:00:00", "2026-03-09T09:00:00"),
    ],
)
def test_calls_wait_for_the_hours(now: str, opens: str | None) -> None:
    told = with_hours(OFFICE)
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = opens_at(told.campaign, at)
    assert found == (datetime.fromisoformat(opens).replace(tzinfo=UTC) if opens else None)
    shut = within_hours(Reading(told.campaign, told.contact(1)), at)
    assert (shut.retry_at if shut else None) == found


def test_of_two_windows_both_must_be_open() -> None:
    told = with_hours(OFFICE, LATE)
    at = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
    assert opens_at(told.campaign, at) is None
    assert opens_at(told.campaign, at.replace(hour=10)) == at.replace(minute=0)
    assert opens_at(told.campaign, at.replace(hour=18)) == at.replace(day=9, minute=0)


def test_a_running_campaign_asks_when_its_hours_begin() -> None:
    rig = Rig()  # It is Sunday noon.
    rig.create()
    settings = replace(rig.campaigns.by_id[1].settings, calling_hours=OFFICE)
    rig.write(CampaignUpdated(campaign_id=1, settings=settings, updated_at=rig.now))
    rig.start()
    assert rig.react(Working(frozenset({0}))) == []
    assert not offers(rig.after(20.9 * 3600))
    (offer,) = offers(rig.after(0.2 * 3600))[:1]
    assert isinstance(offer.facts[0], CallRequested)
