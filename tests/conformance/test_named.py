"""Every row and every decision of the contract has a test that is named after it."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parents[1] / "docs" / "contract.md").read_text()
NAMED = [
    found
    for path in HERE.glob("test_*.py")
    for found in re.findall(r"^def test_(row|decision)_(s?[0-9]+)_", path.read_text(), re.MULTILINE)
]
SOCKETS = ["19", "20", "21"]  # They stand below the table, as prose.
SDK = ["s1", "s2", "s3", "s4"]  # The rows that SDKs need besides.


def test_every_row_has_its_test() -> None:
    section = PAGE.split("\n### 1.3 ")[1].split("\n## ")[0]
    rows = re.findall(r"^([0-9]+)\. \*\*", section, re.MULTILINE)
    named = sorted(number for kind, number in NAMED if kind == "row")
    assert named == sorted([*rows, *SOCKETS, *SDK]), "one test a row: no number stands twice"


def test_every_decision_has_its_test() -> None:
    decided = PAGE.split("\n## 9. Decided\n")[1].split("\n## 10.")[0]
    numbers = set(re.findall(r"^([0-9]+)\. ", decided, re.MULTILINE))
    assert numbers == {str(number) for number in range(1, 29)}
    assert {number for kind, number in NAMED if kind == "decision"} == numbers
