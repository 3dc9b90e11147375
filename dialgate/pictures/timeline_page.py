"""A campaign's story as one page that needs nothing else: no script, no request, SVG inside."""

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from campaigns.audit.stories.call_chart import CallChart
from campaigns.audit.stories.phrases import lasted, moment
from campaigns.audit.stories.story import Item
from campaigns.domain.campaign import Campaign
from campaigns.domain.values.instants import instant
from campaigns.process.printable_text import one_line

COLUMNS = 240  # Of the chart: at 360 px a column is still wider than a pixel.
_HIGH = 100.0  # The drawing's own height; browsers stretch it.


def page(campaign: Campaign, chart: CallChart, items: Sequence[Item]) -> str:
    """Return the page. Its size grows with `items`, of which there is a line each."""
    counters = campaign.counters
    return _template().render(
        campaign_id=campaign.campaign_id,
        name=one_line(campaign.created.name),
        status="deleted" if campaign.deleted else campaign.status.value,
        figures=[
            ("contacts", counters.total),
            ("pending", counters.pending),
            ("in progress", counters.in_progress),
            ("completed", counters.completed),
            ("failed", counters.failed),
            ("cancelled", counters.cancelled),
        ],
        chart=_drawn(chart) if chart.first is not None else None,
        items=items,
        moment=moment,
        instant=instant,
    )


@cache
def _template() -> Template:
    html = files("dialgate").joinpath("pictures", "timeline.html").read_text("utf-8")
    rules = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rules.from_string(html)


def _drawn(chart: CallChart) -> dict[str, Any]:  # Any: what the template names.
    """Return the drawing: COLUMNS units across are the whole time, _HIGH down are the most."""
    counts = chart.columns(COLUMNS)
    most = max([1, *counts])
    bars = "".join(
        f"M{column} {_HIGH:g}V{_HIGH * (1 - count / most):.1f}H{column + 1}V{_HIGH:g}z"
        for column, count in enumerate(counts)
        if count
    )
    assert chart.first is not None, "there is something to draw"
    assert chart.last is not None, "what begins also ends"
    pauses = []
    for one in chart.pauses:
        x = math.ceil(chart.place(one.since) * COLUMNS)  # Shaded columns lie wholly within it.
        end = math.floor(chart.place(one.until or chart.last) * COLUMNS)
        until = f"to {moment(one.until)}" if one.until else "and still"
        title = f"paused from {moment(one.since)} {until}"
        pauses.append({"x": x, "width": max(0.2, end - x), "title": title})
    marks = [
        {"x": f"{chart.place(at) * COLUMNS:.2f}", "title": f"{label}, {moment(at)}"}
        for at, label in chart.marks
    ]
    return {
        "bars": bars,
        "pauses": pauses,
        "marks": marks,
        "most": most,
        "calls": sum(counts),
        "column": lasted(chart.span_s / COLUMNS),
        "first": chart.first,
        "last": chart.last,
    }
