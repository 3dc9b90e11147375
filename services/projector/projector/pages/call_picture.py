"""Calls over time as a drawing: numbers for a script, and SVG for those without one. Pure.

Columns begin where the campaign does and keep their width until there would be too many of them:
then two become one. So what was drawn stays where it is while a campaign goes on.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from campaigns.audit.stories.call_chart import CallChart
from campaigns.audit.stories.phrases import lasted

COLUMNS_MAX = 120
COLUMN_S_MIN = 1.28  # A column of CallChart's slices, as narrow as people can tell apart.
HIGH = 100.0  # The drawing's own height; browsers stretch it.
PAUSES_MAX = 200  # The latest; more could not be told apart.


@dataclass(frozen=True, slots=True)
class CallPicture:
    """What is drawn."""

    first: datetime
    until: datetime
    column_s: float
    counts: list[int]
    pauses: list[tuple[datetime, datetime]]
    marks: list[tuple[datetime, str]]
    cursor: datetime | None = None  # The past that is looked at.

    @property
    def column(self) -> str:
        """Return a column's width in words."""
        return lasted(self.column_s)

    @property
    def width(self) -> int:
        """Return how many columns there are room for: the drawing's own width."""
        return max(1, len(self.counts))

    def x(self, at: datetime) -> float:
        """Return where an instant is drawn, in columns."""
        after_s = (at - self.first).total_seconds() / self.column_s
        return round(min(float(self.width), max(0.0, after_s)), 2)

    @property
    def bars(self) -> str:
        """Return the columns as an SVG path."""
        most = max([1, *self.counts])
        return "".join(
            f"M{column} {HIGH:g}V{HIGH * (1 - count / most):.1f}h.9V{HIGH:g}z"
            for column, count in enumerate(self.counts)
            if count
        )

    @property
    def json(self) -> str:
        """Return it for the script that draws it: times are Unix seconds."""
        shape = {
            "first": self.first.timestamp(),
            "step": self.column_s,
            "counts": self.counts,
            "pauses": [[since.timestamp(), until.timestamp()] for since, until in self.pauses],
            "marks": [[at.timestamp(), label] for at, label in self.marks],
            "cursor": self.cursor.timestamp() if self.cursor else None,
        }
        return orjson.dumps(shape).decode()


def picture(
    chart: CallChart, until: datetime | None, cursor: datetime | None = None
) -> CallPicture | None:
    """Return the drawing of a chart, up to `until` or to its last moment. None: nothing began."""
    if chart.first is None or chart.last is None:
        return None
    end = max(chart.last, until) if until else chart.last
    span_s = max((end - chart.first).total_seconds(), chart.slice_s)
    column_s = chart.slice_s
    while column_s < COLUMN_S_MIN or span_s / column_s > COLUMNS_MAX:
        column_s *= 2
    counts = [0] * (math.floor(span_s / column_s) + 1)
    for slice_, count in enumerate(chart.counts):
        column = int(slice_ * chart.slice_s / column_s)
        if column >= len(counts):  # A carrier's clock that is ahead.
            counts.extend([0] * (column + 1 - len(counts)))
        counts[column] += count
    pauses = [(one.since, one.until or end) for one in chart.pauses]
    last = chart.first + timedelta(seconds=column_s * len(counts))
    return CallPicture(
        chart.first, last, column_s, counts, pauses[-PAUSES_MAX:], list(chart.marks)[-PAUSES_MAX:],
        cursor,
    )  # fmt: skip
