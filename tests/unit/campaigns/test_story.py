"""The story of a campaign, word for word; and that it stays small however many calls it has."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from campaigns.audit.stories.abridgement import Abridgement
from campaigns.audit.stories.call_chart import MARKS_MAX, SLICES_MAX, CallChart
from campaigns.audit.stories.fact_place import FactPlace
from campaigns.audit.stories.story import CALLS, Item, Story
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import (
    AnyCampaignFact,
    CallStarted,
    CampaignPaused,
    CampaignResumed,
    CampaignUpdated,
    ContactExhausted,
    Disposition,
)
from campaigns.testing.sample_records import NOON
from tests.support.journal import Journal
from tests.support.sample_facts import call_ended, call_requested, call_started, campaign_created


def told(journal: Journal, campaign_id: int = 1, story: Story | None = None) -> list[Item]:
    """Return the whole story of a journal's campaign."""
    story = story or Story()
    items = [one for recorded in journal.records for one in story.tell(recorded, campaign_id)]
    return items + story.end()


def pause(journal: Journal, reason: str | None = None) -> None:
    journal.write(CampaignPaused(campaign_id=1, reason=reason, paused_at=journal.now))


def resume(journal: Journal) -> None:
    journal.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=journal.now))


def paused_campaign() -> Journal:
    """Return a campaign of four: two calls are permitted when it is paused, one of them rings."""
    journal = Journal()
    journal.create(contacts=4, name="Spring")
    journal.start()
    rings, asked = journal.ask(1), journal.ask(2)
    journal.ring(rings, 1)
    pause(journal, "lunch")
    journal.create(campaign_id=2)  # Another campaign's facts are not this one's story.
    journal.abandon(asked, 2)
    journal.end(rings, 1)
    journal.now += timedelta(minutes=2)
    resume(journal)
    journal.stop()
    return journal


def test_a_campaign_with_a_pause_has_exactly_this_story() -> None:
    assert [(one.what, one.position, one.text) for one in told(paused_campaign())] == [
        ("campaign-created.v1", "0@1", "Created as a draft, “Spring”, with 4 contacts."),
        ("campaign-started.v1", "0@2", "Started: run 1 began."),
        (CALLS, "0@5", "2 calls permitted; 1 begun."),
        (
            "campaign-paused.v1",
            "0@6",
            "Paused: lunch. Settled at 2026-03-01 12:00:08 UTC, strict: 1 call in progress,"
            " 1 permission abandoned, 3 contacts pending.",
        ),
        (
            CALLS,
            "0@9",
            "1 ended (1 answered); 1 not called because the campaign was paused or stopped before"
            " the carrier was asked.",
        ),
        (
            "campaign-resumed.v1",
            "0@10",
            "Resumed. No reason was given. The pause lasted 2 min 4 s.",
        ),
        (
            "campaign-stopped.v1",
            "0@11",
            "Stopped for good; pending contacts are cancelled. No reason was given. Settled at"
            " 2026-03-01 12:02:11 UTC, strict: 0 calls in progress, 0 permissions abandoned,"
            " 0 contacts pending.",
        ),
    ]


def test_an_item_says_who_and_when_and_what_the_pause_was_answered_with() -> None:
    (paused,) = [one for one in told(paused_campaign()) if one.what == CampaignPaused.TYPE]
    shape = paused.shape()
    assert shape["at"] == "2026-03-01T12:00:06+00:00"
    assert shape["actor"] == "test"
    assert shape["receipt"] == {
        "position": "0@6",
        "calls_in_progress": 1,
        "permissions_abandoned": 1,
        "contacts_pending": 3,
        "guarantee": "strict",
        "settled_at": "2026-03-01T12:00:08+00:00",
    }


def test_what_is_told_is_complete_when_it_is_told() -> None:
    """A program that prints each item as it comes prints the receipt with its pause."""
    journal, story = paused_campaign(), Story()
    at_once = [one.shape() for record in journal.records for one in story.tell(record, 1)]
    at_once += [one.shape() for one in story.end()]
    assert at_once == [one.shape() for one in told(journal)]


def test_a_pause_without_a_permission_settles_at_once() -> None:
    journal = Journal()
    journal.create()
    journal.start()
    pause(journal)
    (paused,) = [one for one in told(journal) if one.halts]
    assert paused.settled_at == paused.at == journal.now


def test_a_pause_settles_when_all_leases_are_over() -> None:
    """No dialer lives to give the permission back: lease and carrier timeout are 7 s."""
    journal = Journal()
    journal.create()
    journal.start()
    journal.ask(1)
    pause(journal)
    paused_at = journal.now
    journal.now += timedelta(seconds=30)
    journal.write(ContactExhausted(
        campaign_id=1, contact_id=2, run=1, attempts=1, exhausted_at=journal.now
    ))  # fmt: skip
    (paused,) = [one for one in told(journal) if one.halts]
    assert paused.settled_at == paused_at + timedelta(seconds=7)


def test_a_pause_that_has_not_settled_says_so() -> None:
    journal = Journal()
    journal.create()
    journal.start()
    journal.ask(1)
    pause(journal)
    (paused,) = [one for one in told(journal) if one.halts]
    assert paused.shape()["receipt"] is None
    assert paused.text.endswith("Where the log ends, 1 permission had not been settled.")
    resume(journal)
    (paused,) = [one for one in told(journal) if one.halts]
    assert "Not settled before the next command, strict: 0 calls" in paused.text


def test_an_update_does_not_end_the_wait_for_a_receipt() -> None:
    journal = Journal()
    journal.create()
    journal.start()
    asked = journal.ask(1)
    pause(journal)
    journal.write(CampaignUpdated(campaign_id=1, name="B", updated_at=journal.now))
    journal.abandon(asked, 1)
    items = told(journal)
    assert [one.what for one in items][-3:] == [CampaignPaused.TYPE, CampaignUpdated.TYPE, CALLS]
    assert items[-3].receipt is not None
    assert items[-3].receipt["permissions_abandoned"] == 1


@pytest.mark.parametrize("cut", range(8))
def test_a_story_that_begins_at_any_item_goes_on_as_the_whole_does(cut: int) -> None:
    """This is what pages are made of: the campaign's state as of a position is enough."""
    journal = paused_campaign()
    whole = [one.shape() for one in told(journal)]
    position = int(whole[cut - 1]["position"].partition("@")[2]) if cut else 0
    before = Story()
    for recorded in journal.records[:position]:
        for fact in recorded.facts:
            if getattr(fact, "campaign_id", None) == 1:
                place = FactPlace(NOON, 0, recorded.position, "test")
                before.take(fact, place)  # type: ignore[arg-type]  # Of a campaign.
    story = Story(before.campaign)
    after = [one for recorded in journal.records[position:] for one in story.tell(recorded, 1)]
    assert [one.shape() for one in [*after, *story.end()]] == whole[cut:]


def minutes_of_calls(number: int) -> Iterator[tuple[AnyCampaignFact, FactPlace]]:
    """Yield a campaign of so many calls, two a second."""
    yield campaign_created(1, NOON, rows=number), FactPlace(NOON, 0, 1, "us")
    for n in range(1, number + 1):
        at = NOON + timedelta(seconds=n / 2)
        place = FactPlace(at, 0, 3 * n, "dialer")
        asked = call_requested(1, n, f"call {n}", at)
        yield asked, place
        yield call_started(asked, at), place
        yield call_ended(asked, at, Disposition.ANSWERED), place


def test_calls_are_told_by_the_minute() -> None:
    story = Story()
    items = [one for fact, place in minutes_of_calls(300) for one in story.take(fact, place)]
    items += story.end()
    assert [one.text for one in items[1:]] == [
        "119 calls permitted; 119 begun; 119 ended (119 answered).",
        "120 calls permitted; 120 begun; 120 ended (120 answered).",
        "61 calls permitted; 61 begun; 61 ended (61 answered).",
    ]
    assert [one.shape()["calls"]["begun"] for one in items[1:]] == [119, 120, 61]


def test_a_clock_that_goes_back_makes_no_minute_of_its_own() -> None:
    story = Story(campaign=Campaign(campaign_created(1, NOON, rows=9)))
    for n, second in enumerate((59, 61, 58, 62, 59), 1):
        at = NOON + timedelta(seconds=second)
        story.take(call_requested(1, n, f"call {n}", at), FactPlace(at, 0, n, "dialer"))
    items = story.end()
    assert [one.calls.permitted for one in items if one.calls] == [4]


def abridged(number: int, lines_max: int) -> tuple[Sequence[Item], CallChart]:
    story, chart, shown = Story(), CallChart(), Abridgement(call_lines_max=lines_max)
    chart.note(Item(NOON, "0@1", "us", "campaign-started.v1", ""))
    for fact, place in minutes_of_calls(number):
        for item in story.take(fact, place):
            shown.add(item)
        if isinstance(fact, CallStarted):
            chart.begun(fact, place.at)
    for item in story.end():
        shown.add(item)
    return shown.items, chart


def test_ten_times_the_calls_make_no_longer_story_and_no_larger_chart() -> None:
    for number in (2_000, 20_000):
        items, chart = abridged(number, lines_max=10)
        assert len(items) <= 1 + 10
        assert sum(one.calls.begun for one in items if one.calls) == number, "none is lost"
        assert len(chart.counts) <= SLICES_MAX
        assert sum(chart.counts) == sum(chart.columns(72)) == number
        assert items[-1].until == NOON + timedelta(seconds=number / 2)


def test_lines_of_facts_are_never_summed_up() -> None:
    shown = Abridgement(call_lines_max=2)
    journal = paused_campaign()
    for item in told(journal) * 40:
        shown.add(item)
    assert sum(not one.calls for one in shown.items) == 5 * 40


def test_a_chart_shades_each_pause_from_when_it_had_settled() -> None:
    chart = CallChart()
    for item in told(paused_campaign()):
        chart.note(item)
    (shaded,) = chart.pauses
    assert shaded.since == NOON + timedelta(seconds=8)
    assert shaded.until == NOON + timedelta(seconds=130)
    assert [label for _, label in chart.marks] == ["start", "pause", "resume", "stop"]
    assert chart.place(NOON - timedelta(days=1)) == 0
    assert chart.place(NOON + timedelta(days=1)) == 1


def test_a_chart_keeps_so_many_pauses_and_no_more() -> None:
    chart = CallChart()
    chart.note(Item(NOON, "0@1", "us", "campaign-started.v1", ""))
    for n in range(2 * MARKS_MAX):
        at = NOON + timedelta(minutes=n)
        chart.note(Item(at, "0@2", "us", CampaignPaused.TYPE, "", halts=True, settled_at=at))
        chart.note(Item(at, "0@3", "us", CampaignResumed.TYPE, ""))
    assert len(chart.pauses) == len(chart.marks) == MARKS_MAX


def test_a_carriers_absurd_instant_does_not_stretch_the_chart() -> None:
    chart = CallChart()
    chart.note(Item(NOON, "0@1", "us", "campaign-started.v1", ""))
    asked = call_requested(1, 1, "call", NOON)
    chart.begun(call_started(asked, NOON + timedelta(hours=23)), NOON + timedelta(seconds=1))
    assert chart.span_s == 1
