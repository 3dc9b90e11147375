"""Calls over time as pages draw them."""

from datetime import UTC, datetime, timedelta

import orjson

from campaigns.audit.stories.call_chart import CallChart, ShadedPause
from projector.pages.call_picture import COLUMN_S_MIN, COLUMNS_MAX, picture

BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def chart(*counts: int, slice_s: float = COLUMN_S_MIN) -> CallChart:
    last = BEGAN + timedelta(seconds=slice_s * len(counts))
    return CallChart(BEGAN, slice_s, list(counts), last)


def test_every_call_is_in_a_column_however_long_it_takes() -> None:
    for slices in (1, 7, COLUMNS_MAX, COLUMNS_MAX + 1, 480):
        for slice_s in (0.01, 0.64, 1.28, 655.36):
            drawn = picture(chart(*[3] * slices, slice_s=slice_s), None)
            assert drawn is not None
            assert sum(drawn.counts) == 3 * slices
            assert len(drawn.counts) <= COLUMNS_MAX + 1
            assert drawn.column_s >= COLUMN_S_MIN


def test_what_was_drawn_stays_where_it_is_while_time_passes() -> None:
    shown = chart(5, 0, 2, 9)
    earlier = picture(shown, BEGAN + timedelta(seconds=6))
    later = picture(shown, BEGAN + timedelta(seconds=60))
    assert earlier is not None
    assert later is not None
    assert earlier.column_s == later.column_s
    assert later.counts[:4] == earlier.counts[:4] == [5, 0, 2, 9]
    assert not any(later.counts[4:])


def test_a_pause_is_shaded_from_when_it_had_settled_to_the_next_moment_or_the_end() -> None:
    shown = chart(*[1] * 100)
    since, until = BEGAN + timedelta(seconds=10), BEGAN + timedelta(seconds=20)
    shown.pauses.extend([ShadedPause(since, until), ShadedPause(until)])
    drawn = picture(shown, None)
    assert drawn is not None
    assert drawn.pauses[0] == (since, until)
    assert drawn.pauses[1][1] == shown.last
    assert drawn.x(since) == round(10 / drawn.column_s, 2)
    told = orjson.loads(drawn.json)
    assert told["pauses"][0] == [since.timestamp(), until.timestamp()]
    assert told["counts"] == drawn.counts


def test_nothing_is_drawn_before_the_first_run() -> None:
    assert picture(CallChart(), BEGAN) is None
