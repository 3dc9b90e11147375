"""Puts the result of a long run into the documents: between two marks, in the place of the last."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README, HOW_WE_KNOW = ROOT / "README.md", ROOT / "docs" / "how-we-know.md"


def put(page: Path, mark: str, text: str) -> None:
    """Write a text between `<!-- mark -->` and `<!-- /mark -->` of a page.

    Raises:
        AssertionError: the page lacks these marks; it stays unchanged.

    """
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->\n"
    before, found, rest = page.read_text().partition(begin)
    old, closed, after = rest.partition(end)
    assert found and closed, f"{page.name}: expected {begin.strip()} … {end.strip()}"
    if old != f"{text}\n":
        page.write_text(f"{before}{begin}{text}\n{end}{after}")
