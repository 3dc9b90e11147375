"""What `dialgate timeline` prints and writes: the story, the chart, and a page on its own."""

import asyncio
import re
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from campaigns.audit.stories.abridgement import CALL_LINES_MAX
from campaigns.audit.stories.story import Story
from campaigns.domain.facts import CampaignPaused, CampaignResumed
from campaigns.records.log_entry import Recorded
from campaigns.sqlite.sqlite_log import SqliteLog
from dialgate.__main__ import cli
from tests.support.journal import Journal

NAME = "<script>alert(1)</script> \x1b[2J\u202e & co"


async def run(folder: Path, *words: str) -> Result:
    environment = {"DIALGATE_DATA_DIR": str(folder), "COLUMNS": "80"}
    words = ("timeline", *words)
    return await asyncio.to_thread(CliRunner().invoke, cli, list(words), env=environment)


async def written(folder: Path, records: Sequence[Recorded]) -> None:
    """Write a journal's records into an embedded log, as a process does."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    await log.close()
    with closing(sqlite3.connect(folder / "log.db")) as db, db:
        rows = [(*one.partition, one.position, one.raw) for one in records]
        db.executemany("insert into records values (?, ?, ?, ?)", rows)


def journal() -> Journal:
    """Return a campaign that is paused for half of its minute."""
    made = Journal()
    made.create(contacts=20, name=NAME)
    made.start()
    for contact in (1, 2):
        made.ring(made.ask(contact), contact)
    made.write(CampaignPaused(campaign_id=1, reason="lunch", paused_at=made.now))
    made.now += timedelta(seconds=7)
    made.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=made.now))
    for contact in (3, 4):
        made.ring(made.ask(contact), contact)
    return made


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Return a data directory with such a log."""
    await written(tmp_path, journal().records)
    return tmp_path


async def test_it_prints_the_chart_with_the_pause_shaded_and_the_story(folder: Path) -> None:
    lines = (await run(folder, "1")).output.splitlines()
    assert lines[0].startswith("Campaign 1 “<script>alert(1)</script> \\u001b[2J")
    assert lines[0].endswith("running")
    assert lines[1].startswith("20 contacts: 16 pending, 4 in progress")
    assert lines[3] == "calls begun, 0.23 s a column, 1 at most"
    bars, shade = lines[4], lines[5].partition("  ░ paused")[0]
    assert bars.count("█") == 4
    assert 25 <= shade.count("░") <= 35
    assert not [n for n, one in enumerate(shade) if one == "░" and bars[n : n + 1] == "█"]
    assert [line.strip() for line in lines[6:9]] == ["▲ start", "▲ pause", "▲ resume"]
    assert lines[-2] == (
        "2026-03-01 12:00:15 UTC  test  Resumed. No reason was given. The pause lasted 8.0 s."
    )
    assert all(line.isprintable() for line in lines)


async def test_programs_get_the_items_one_a_line(folder: Path) -> None:
    told, story = journal(), Story()
    items = [one for recorded in told.records for one in story.tell(recorded, 1)] + story.end()
    lines = [orjson.loads(line) for line in (await run(folder, "1", "--json")).output.splitlines()]
    assert [line["text"] for line in lines] == [one.text for one in items]
    assert {"at", "position", "actor", "what", "text"} <= lines[0].keys()


class Page(HTMLParser):
    """Notes what a page would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags = set[str]()
        self.addresses = list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "action", "xlink:href")
        ]


async def test_the_page_needs_nothing_else_and_is_its_owners_alone(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "campaign.html"
    file.write_text("an older one")
    file.chmod(0o644)
    result = await run(folder, "1", "--html", str(file))
    assert result.exit_code == 0, result.output
    html = file.read_text()
    page = Page(html)
    assert page.addresses == ["data:,"]
    assert page.tags >= {"main", "svg", "rect", "ol", "time"}
    assert not page.tags & {"script", "img", "iframe", "object", "form"}
    assert not re.search(r"url\(|@import|https?:", html)
    assert "&lt;script&gt;alert(1)" in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "Paused: lunch. Settled at" in html
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"log.db", "campaign.html"}


async def test_a_page_that_cannot_be_written_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    for file in (tmp_path / "missing" / "a.html", tmp_path):
        result = await run(folder, "1", "--html", str(file))
        assert result.exit_code == 2
        assert len(result.output.splitlines()) == 1
    assert {one.name for one in tmp_path.iterdir()} == {"log.db"}


async def test_a_campaign_of_any_length_makes_a_page_of_bounded_length(tmp_path: Path) -> None:
    for calls in (CALL_LINES_MAX, 3 * CALL_LINES_MAX):  # A call a minute.
        made = Journal()
        made.create(contacts=calls)
        made.start()
        for contact in range(1, calls + 1):
            made.now += timedelta(minutes=1)
            made.ring(made.ask(contact), contact)
        folder = tmp_path / str(calls)
        folder.mkdir()
        await written(folder, made.records)
        file = folder / "a.html"
        assert (await run(folder, "1", "--html", str(file))).exit_code == 0
        html = file.read_text()
        assert CALL_LINES_MAX / 2 < html.count("<li") <= 2 + CALL_LINES_MAX
        begun = re.findall(r"(\d+) begun[;.]", html)
        assert sum(map(int, begun)) == calls, "none is lost"
        assert f"{calls:,} calls begun, at most" in html


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("9",), "expected a campaign of the log, found no campaign 9"),
        (("9", "--html", "x.html"), "expected a campaign of the log, found no campaign 9"),
        (("1", "--html", "x.html", "--json"), "--html: expected a page or --json, found both"),
    ],
)
async def test_what_does_not_fit_is_one_sentence(
    folder: Path, words: tuple[str, ...], says: str
) -> None:
    result = await run(folder, *words)
    assert (result.exit_code, result.output) == (2, f"dialgate: {says}\n")
