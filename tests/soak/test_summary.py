"""A soak's summary names what was not tried, and puts what was seen into a page."""

from collections import Counter
from pathlib import Path

import pytest

from tests.soak.stage import CYCLES, LATE, LOST, TWICE, Tally
from tests.soak.summary import FAMILIES, sentence, table, too_little
from tests.support import pages

WHOLE = Counter(
    {
        CYCLES: 1_000, LATE: 0, LOST: 0, TWICE: 0, "rings": 40_000, "kill everything": 2,
        "kill up": 3, "kill dialer and lose its store": 4, "kill broker": 1,
        "freeze broker": 2, "freeze dialer within a lease": 7, "freeze dialer past a lease": 6,
        "freeze dialer past its session": 1,
    }
)  # fmt: skip


def test_a_whole_soak_lacks_nothing() -> None:
    assert too_little({"a": Tally(WHOLE)}, 1_000, whole=True) == []


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if kind.startswith(("kill", "freeze"))])
def test_what_was_never_done_is_named(kind: str) -> None:
    counts = WHOLE.copy()
    del counts[kind]
    (lacking,) = too_little({"a": Tally(counts)}, 1_000, whole=True)
    assert lacking.removeprefix("never: ") in FAMILIES


def test_too_few_cycles_are_named_whatever_was_played() -> None:
    assert too_little({"a": Tally(WHOLE)}, 1_001, whole=False) == [
        "expected 1,001 cycles, found 1,000"
    ]


def test_the_zeros_are_shown_and_violations_are_counted() -> None:
    tallies = {"a": Tally(WHOLE, 1.5, ["rung twice"]), "b": Tally()}
    shown = table(tallies, 24.0)
    assert f"| **{LATE}** | 0 | 0 | 0 |" in shown
    assert "| **violations** | **1** | **0** | **1** |" in shown
    assert "0 late rings, 0 lost contacts, 0 double rings, 1 violations" in sentence(tallies, 24.0)


def test_a_page_gets_the_text_between_its_marks_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- m -->\nold\n<!-- /m -->\nafter\n")
    pages.put(page, "m", "new")
    assert page.read_text() == "before\n<!-- m -->\nnew\n<!-- /m -->\nafter\n"
    with pytest.raises(AssertionError, match="expected <!-- n -->"):
        pages.put(page, "n", "new")
    assert "new" in page.read_text()
