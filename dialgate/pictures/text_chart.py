"""Calls over time as text: a bar a slice of time, with what happened below. Pure."""

from collections.abc import Sequence

WIDTH = 72
_BLOCKS = " ▁▂▃▄▅▆▇█"


def text_chart(
    counts: Sequence[int],
    slice_s: float,
    marks: Sequence[tuple[int, str]],
    pauses: Sequence[tuple[int, int]] = (),
) -> str:
    """Return calls over time: a column a slice, `marks` (column, label) in lines below.

    `pauses`: columns from … to, both included, which a line of its own shades.
    """
    most = max([1, *counts])
    bars = "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // most)] for count in counts)
    lines = [f"calls begun, {slice_s:.2f} s a column, {most} at most", bars]
    if pauses:
        lines.append(_shaded(pauses, len(counts)))
    for column, label in marks:
        near_the_end = column + len(label) + 2 > len(counts)
        lines.append(f"{label} ▲".rjust(column + 1) if near_the_end else f"{'':{column}}▲ {label}")
    return "\n".join(lines)


def _shaded(pauses: Sequence[tuple[int, int]], width: int) -> str:
    shade = [" "] * width
    for first, last in pauses:
        for column in range(max(0, first), min(width - 1, last) + 1):
            shade[column] = "░"
    return f"{''.join(shade)}  ░ paused"
