"""What `dialgate log` prints: each filter, masked and revealed, followed, and as its older name."""

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from campaigns.audit.rulings import PartitionRuling, Ruled
from campaigns.domain.facts import (
    CampaignPaused,
    CampaignResumed,
    ContactExhausted,
    ContactsAdded,
    CreateKeyed,
)
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import create_stream
from campaigns.log.port import MemoryLog
from campaigns.process.errors import LogUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.record import Idempotency, Record
from campaigns.records.topics import Partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered
from dialgate.__main__ import cli
from dialgate.settings import ProcessSettings
from dialgate.verbs.history.log import POLL_S, LogView, coming, log
from dialgate.verbs.verb import Source
from tests.support.waiting import until

HOSTILE = "\x1b[2J\x9b31m\u202eboss\nforged  line"
PERSON = ("+14155550100", "4155550100", "Ada", "ada@example.org", "Zurich")
KEYED = CreateKeyed(organization_id=1, digest="0" * 64, campaign_id=2, request_digest="0" * 64)

FILTERS: list[tuple[tuple[str, ...], list[int]]] = [  # What is asked for, the positions shown.
    ((), [1, 2, 3, 4, 5, 6]),
    (("--campaign", "1"), [2, 4, 5, 6]),
    (("--campaign", "2"), [3]),
    (("--type", "campaign-paused"), [2, 6]),
    (("--type", "campaign-paused.v1", "--type", "create-keyed"), [2, 3, 6]),
    (("--type", "campaign-stopped"), []),
    (("--actor", "organization/7 key dg_live_ab"), [2]),
    (("--actor", "dg_live_ab"), [2]),
    (("--actor", "dg_live"), []),
    (("--since", "2026-03-01T13:00:00+00:00"), [4, 5, 6]),
    (("--since", "2026-03-01T15:00:00.001Z"), []),
    (("--until", "2026-03-01T14:00:00+01:00"), [1, 2, 3, 4]),
    (("--until", "2026-03-01T11:59:59Z"), []),
    (("--contact", "1/7"), [4]),
    (("--contact", "1/70"), []),
    (("--correlation", "asked"), [2]),
    (("--correlation", "ask"), []),
    (("--campaign", "1", "--type", "campaign-paused", "--since", "2026-03-01T14:00Z"), [6]),
]  # fmt: skip


def paused(campaign_id: int, reason: str | None = None) -> CampaignPaused:
    return CampaignPaused(campaign_id=campaign_id, reason=reason, paused_at=NOON)


def records() -> Iterator[Record]:
    """Yield a small log's records: positions 1 to 6, of which the last is refused."""
    row = Row(phone_number=PERSON[0], name="Ada", email=PERSON[3], variables={"city": "Zurich"})
    yield offered(ContactsAdded(import_id="list", first_row=1, rows=(row,)))
    yield replace(
        offered(paused(1, "lunch")), actor="organization/7 key dg_live_ab", correlation_id="asked",
        causation_id="cause", idempotency=Idempotency("once", "1" * 64),
    )  # fmt: skip
    yield offered(KEYED)
    exhausted = ContactExhausted(campaign_id=1, contact_id=7, run=1, attempts=2, exhausted_at=NOON)
    yield replace(offered(exhausted), actor="dialer", time=NOON + timedelta(hours=1))
    resumed = CampaignResumed(campaign_id=1, reason=HOSTILE, resumed_at=NOON)
    yield replace(offered(resumed, condition_version=1), time=NOON + timedelta(hours=2))
    yield replace(offered(paused(1)), time=NOON + timedelta(hours=3))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Return a data directory with such a log."""
    written = SqliteLog(tmp_path / "log.db")
    await written.open()
    for record in records():
        await written.append(FIRST, record, 1)
    await written.close()
    return tmp_path


async def said(folder: Path, *words: str, status: int = 0) -> list[str]:
    """Run a verb; return the lines that it said."""
    environment = {"DIALGATE_DATA_DIR": str(folder), "COLUMNS": "80"}
    found = await asyncio.to_thread(CliRunner().invoke, cli, list(words), env=environment)
    assert found.exit_code == status, found.output
    return found.output.splitlines()


def positions(lines: list[str]) -> list[int]:
    return [int(line.split()[0].partition("@")[2]) for line in lines]


@pytest.mark.parametrize(("words", "shown"), FILTERS)
async def test_each_filter_hits_and_misses(
    folder: Path, words: tuple[str, ...], shown: list[int]
) -> None:
    assert positions(await said(folder, "log", *words)) == shown
    lines = [orjson.loads(line) for line in await said(folder, "log", "--json", *words)]
    assert [int(line["at"].partition("@")[2]) for line in lines] == shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--type", "campaign-pasued"), "such as campaign-paused, found campaign-pasued"),
        (("--since", "noon"), "--since: expected an instant, such as 2026-"),
        (("--until", "2026-03-01T12:00"), "it has no offset"),
        (("--contact", "7"), "--contact: expected CAMPAIGN/CONTACT, such as 42/7, found 7"),
        (("--contact", "1/7", "--campaign", "2"), "expected one of campaign 2, found 1/7"),
        (("--campaign", "3"), "--campaign: expected a campaign of this log, found 3"),
        (("--follow", "--from", "x"), "--follow: expected a log, found an export"),
    ],
)
async def test_what_does_not_fit_is_said_in_one_sentence(
    folder: Path, words: tuple[str, ...], says: str
) -> None:
    (line,) = await said(folder, "log", *words, status=2)
    assert says in line


async def test_people_read_what_happened_for_whom_and_why_it_does_not_count(folder: Path) -> None:
    lines = await said(folder, "log", "--campaign", "1")
    assert lines[0] == (
        "campaign.records/0@2  accepted  2026-03-01T12:00:00+00:00  organization/7 key dg_live_ab"
        "  campaign-paused.v1 Paused: lunch."
    )
    assert lines[-1].endswith("(campaign/1: expected 0, found 2)")
    assert "  refused   " in lines[-1]


async def test_programs_read_what_replay_prints_and_what_it_rested_on(folder: Path) -> None:
    lines = [orjson.loads(line) for line in await said(folder, "log", "--json", "--reveal")]
    more = ("correlation_id", "causation_id", "condition", "idempotency")
    second = lines[1]
    assert {name: second[name] for name in more} == {
        "correlation_id": "asked",
        "causation_id": "cause",
        "condition": {"campaign/1": 0},
        "idempotency": {"key": "once", "digest": "1" * 64},
    }
    replayed = [orjson.loads(line) for line in await said(folder, "replay", "--json", "--reveal")]
    assert [{name: line[name] for name in line if name not in more} for line in lines] == replayed


async def test_the_older_name_prints_as_it_did(folder: Path) -> None:
    lines = await said(folder, "replay")
    assert lines[1] == (
        "campaign.records/0@2  accepted  2026-03-01T12:00:00+00:00  test/1"
        "  campaign-paused.v1 campaign/1"
    )
    assert PERSON[0] in "".join(await said(folder, "replay", "--json", "--reveal"))


async def test_persons_are_shown_only_where_asked_for(folder: Path) -> None:
    for words in (["log"], ["log", "--json"]):
        masked, revealed = await said(folder, *words), await said(folder, *words, "--reveal")
        assert not [one for one in PERSON if one in "".join(masked)]
        assert "…00" in masked[0]
        assert PERSON[0] in revealed[0]
        assert "Ada" in revealed[0]


async def test_nothing_from_the_log_steers_a_terminal(folder: Path) -> None:
    for words in (["log"], ["log", "--json"], ["log", "--reveal"]):
        lines = await said(folder, *words)
        assert len(lines) == 6, "and none makes a line of its own"
        assert all(line.isprintable() for line in lines)
    resumed = orjson.loads((await said(folder, "log", "--json"))[4])
    assert resumed["facts"][0]["data"]["reason"] == HOSTILE, "JSON is what it was"


async def test_an_organization_is_not_taken_for_the_campaign_of_its_number(folder: Path) -> None:
    """A keyed create is on the stream `create/<organization>/…`: each was shown as campaign 1's."""
    for verb in ("log", "replay"):
        lines = [
            orjson.loads(line) for line in await said(folder, verb, "--json", "--campaign", "2")
        ]
        streams = [fact["stream"] for line in lines for fact in line["facts"]]
        assert streams == [create_stream(1, "0" * 64)]


async def test_following_shows_what_is_appended_later(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The writer is another user of the embedded log, which is in use meanwhile."""
    shown = list[str]()

    def at_least(number: int) -> Callable[[], bool]:
        def there() -> bool:
            shown.extend(capsys.readouterr().out.splitlines())
            return len(shown) >= number

        return there

    view = LogView(as_json=True, follow=True)
    following = asyncio.create_task(log(ProcessSettings(data_dir=folder), view))
    await until(at_least(6))
    writer = SqliteLog(folder / "log.db", exclusive=False)
    await writer.open()
    await writer.append(FIRST, offered(paused(8)), 8)
    await until(at_least(7))
    await writer.append(FIRST, offered(paused(8)), 8)
    await until(at_least(8))
    await writer.close()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert [orjson.loads(line)["ruling"] for line in shown[6:]] == ["accepted", "refused"]


def test_an_interrupted_follow_ends_well_and_leaves_the_terminal_clean(folder: Path) -> None:
    """On a terminal of its own, as a user has it: Ctrl-C is a SIGINT to the process."""
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "dialgate", "log", "--follow"]
    given = os.environ | {"DIALGATE_DATA_DIR": str(folder), "TERM": "xterm"}
    before = termios.tcgetattr(inside)
    with subprocess.Popen(command, env=given, stdin=inside, stdout=inside, stderr=inside) as one:
        said = b""
        while b"campaign.records/0@6" not in said:
            said += os.read(terminal, 65_536)
        assert one.poll() is None, "it goes on with what comes"
        one.send_signal(signal.SIGINT)
        assert one.wait(60) == 0
    assert termios.tcgetattr(inside) == before
    os.close(inside)
    with contextlib.suppress(OSError):  # So ends a terminal that nobody has open.
        while more := os.read(terminal, 65_536):
            said += more
    os.close(terminal)
    assert b"Traceback" not in said and b"Aborted" not in said
    assert said.count(b"\x1b[?25l") == said.count(b"\x1b[?25h"), "the cursor is shown again"
    assert said.endswith(b"\n"), "the prompt stands on a line of its own"


class FlakyLog(MemoryLog):
    """A log that is away at times."""

    away = False

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        if self.away:
            raise LogUnavailableError("the broker does not answer")
        return await super().ends(partitions)


async def test_following_outlasts_an_outage_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flaky, shown = FlakyLog(), list[Ruled]()
    errors = list[str]()

    def told(number: int) -> Callable[[], bool]:
        def there() -> bool:
            errors.extend(capsys.readouterr().err.splitlines())
            return len(errors) >= number

        return there

    async def follow() -> None:
        async for batch in coming(Source(flaky, Installation()), {FIRST: PartitionRuling()}):
            shown.extend(batch)

    following = asyncio.create_task(follow())
    await flaky.append(FIRST, offered(paused(1)), 1)
    await until(lambda: len(shown) == 1)
    flaky.away = True
    await until(told(1))
    await flaky.append(FIRST, offered(paused(2)), 2)
    await asyncio.sleep(2 * POLL_S)  # Further looks, which are to say nothing more.
    flaky.away = False
    await until(lambda: len(shown) == 2)
    await until(told(2))
    following.cancel()
    assert errors == [
        "dialgate: the broker does not answer; waiting for the log to answer again",
        "dialgate: the log answers again",
    ]
