"""Views are rebuilt beside those in service, compared, and taken into service at the next start."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import copytree, ignore_patterns

import orjson
import pytest
from typer.testing import CliRunner

from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogCutError
from campaigns.records.installation import Installation
from campaigns.sqlite.sqlite_log import SqliteLog
from dialgate.__main__ import cli
from projector.advance import Views
from projector.rebuild import Rebuilt, finish, fold_to, rebuild
from projector.service import Projector
from projector.settings import ProjectorSettings
from projector.store import replacement as replacements
from projector.store.present_store import PresentStore
from projector.store.replacement import Replacement, replacement_of
from projector.store.tables import ABOUT, METADATA, OUTBOX
from projector.store.view_store import ViewStore
from tests.integration.test_projector_publishing import Topic, expected, history, run
from tests.support.journal import Journal, every_partition
from tests.support.log_file import write_log
from tests.support.postgres import postgres_url

Rows = dict[str, list[tuple[object, ...]]]
TABLES = [table for table in METADATA.sorted_tables if table is not ABOUT]


class Place:
    """Where a projector's views are, on one of the two databases."""

    def __init__(self, url: str | None, data_dir: Path) -> None:
        self.url, self.data_dir = url, data_dir
        found = replacement_of(url, data_dir)
        assert found is not None
        self.replacement: Replacement = found

    def fold(self, journal: Journal, upto: int | None = None, *, publishes: bool = False) -> None:
        """Fold the journal into the views in service, as a projector does."""
        store = ViewStore(self.url, self.data_dir)
        store.belongs_to(journal.log.id, publishes=publishes, installation=Installation())
        views = Views(store, journal.log, publishes, lambda key: None)
        views.restore(every_partition(journal))
        for partition in every_partition(journal):
            done = views.reader.positions.get(partition, 0)
            if records := journal.log._records[partition][done:upto]:
                views.reader.step(partition, records)
        store.close()

    def rows(self) -> Rows:
        store = ViewStore(self.url, self.data_dir)
        try:
            return store.dump(TABLES)
        finally:
            store.close()

    def run(self, statement: str) -> None:
        store = ViewStore(self.url, self.data_dir)
        with store.writing() as tx:
            tx.exec_driver_sql(statement)
        store.close()

    async def rebuild(
        self, journal: Journal, told: Callable[[int], None] = lambda _: None
    ) -> Rebuilt:
        serving = PresentStore(self.url, self.data_dir)
        try:
            return await rebuild(journal.log, Installation(), serving, self.replacement, told=told)
        finally:
            serving.disconnect()

    async def started(self, journal: Journal) -> dict[str, int]:
        """Start a projector; return its positions before it serves anybody, and stop it."""
        settings = ProjectorSettings(database_url=self.url)
        part = Projector(journal.log, SystemClock(), settings, self.data_dir, None)
        await part.open()
        positions = {str(one): position for one, position in part.reader.positions.items()}
        await part.close()
        return positions


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(None, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def each_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(None, tmp_path)
    found = Place(request.getfixturevalue("server"), tmp_path)
    found.replacement.discard()
    store = ViewStore(found.url, None)
    METADATA.drop_all(store.engine)
    store.close()
    return found


async def test_what_is_rebuilt_is_the_same_row_by_row_and_is_taken_into_service(
    each_place: Place,
) -> None:
    place = each_place
    journal = history()
    place.fold(journal)
    rows = place.rows()
    found = await place.rebuild(journal)
    assert (found.compared, found.differences, found.shown) == (True, 0, [])
    assert found.rows == sum(map(len, rows.values())) > 50
    assert {str(one): at for one, at in found.positions.items()} == {
        "campaign.records/0": 22, "campaign.records/1": 45,
    }  # fmt: skip
    assert not place.replacement.ready, "not before somebody has decided"
    finish(place.replacement, found)
    assert place.replacement.ready
    assert await place.started(journal) == {"campaign.records/0": 22, "campaign.records/1": 45}
    assert not place.replacement.ready, "it is in service now"
    assert place.rows() == rows


async def test_every_kind_of_difference_is_found_and_said(each_place: Place) -> None:
    place = each_place
    journal = history()
    place.fold(journal)
    place.run(
        "update projector_contacts set status = 'pending' where campaign_id = 2 and contact_id = 3"
    )
    place.run("delete from projector_executions where campaign_id = 1 and execution_id = 2")
    place.run("insert into projector_history values (9, 1, 5, 5)")
    place.run("update projector_rows set details = 'x' where \"row\" = 1")
    found = await place.rebuild(journal)
    said = "\n".join(found.shown)
    assert 'contacts 2/3: status: old "pending", new "busy"' in said
    assert "executions 1/2: only in the new" in said
    assert "history 9/1: only in the old" in said
    assert ": details differ" in said
    assert "+1555" not in said, "contacts' details are personal"
    assert found.differences == len(found.shown) == 3 + 4


async def test_wrong_views_stay_until_somebody_accepts_the_difference(place: Place) -> None:
    journal = history()
    place.fold(journal)
    right = place.rows()
    place.run("update projector_contacts set status = 'pending'")
    wrong = place.rows()
    found = await place.rebuild(journal)
    assert found.differences
    await place.started(journal)
    assert place.rows() == wrong
    finish(place.replacement, await place.rebuild(journal))
    await place.started(journal)
    assert place.rows() == right


async def test_no_query_sees_an_older_state_than_before(each_place: Place) -> None:
    """The views in service went on after the rebuild: the new ones catch up before they serve."""
    place = each_place
    journal = history()
    place.fold(journal, 10)
    found = await place.rebuild(journal)
    assert set(found.positions.values()) == {10}
    finish(place.replacement, found)
    place.fold(journal)
    rows = place.rows()
    assert await place.started(journal) == {"campaign.records/0": 22, "campaign.records/1": 45}
    assert place.rows() == rows


async def test_views_that_move_on_meanwhile_are_compared_as_of_one_instant(
    place: Place,
) -> None:
    journal, steps = history(), iter([4, 9, 17, 23])
    place.fold(journal, 2)

    def move_on(_: int) -> None:
        if upto := next(steps, None):
            place.fold(journal, upto)

    found = await place.rebuild(journal, move_on)
    assert max(found.positions.values()) > 2
    assert found.differences == 0, found.shown


class KilledError(BaseException):
    """The process dies here."""


async def test_killed_in_the_middle_it_leaves_the_views_in_service(place: Place) -> None:
    journal = history()
    place.fold(journal)
    rows = place.rows()

    def die(_: int) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        await place.rebuild(journal, die)
    await place.started(journal)
    assert (place.data_dir / "replacement").exists(), "nobody has compared it: it is not taken"
    assert place.rows() == rows
    found = await place.rebuild(journal)
    assert found.differences == 0, "the next begins anew"


@pytest.mark.parametrize("settled", ["projector.db", "replacement/projector.db"])
async def test_killed_in_the_swap_the_next_start_makes_it(settled: str, tmp_path: Path) -> None:
    """A file is brought to rest and the process dies: both are whole, and the swap is repeated."""
    place, journal = Place(None, tmp_path), history()
    place.fold(journal)
    rows = place.rows()
    finish(place.replacement, await place.rebuild(journal))
    replacements._settle(tmp_path / settled)
    assert place.rows() == rows
    assert place.replacement.ready
    await place.started(journal)
    assert place.rows() == rows
    assert not (tmp_path / "replacement").exists()


async def test_while_another_process_has_the_views_open_they_are_not_exchanged(
    tmp_path: Path,
) -> None:
    """SQLite would apply the old file's write-ahead log to the new one."""
    place, journal = Place(None, tmp_path), history()
    place.fold(journal)
    rows = place.rows()
    finish(place.replacement, await place.rebuild(journal))
    with closing(sqlite3.connect(tmp_path / "projector.db")) as other:
        other.execute("begin")
        other.execute("select * from projector_contacts").fetchone()
        await place.started(journal)
        assert place.replacement.ready, "the next start tries again"
    await place.started(journal)
    assert not place.replacement.ready
    assert place.rows() == rows


async def test_views_of_an_older_build_are_replaced_without_a_comparison(place: Place) -> None:
    """The upgrade: the new build's views are made while the old build's projector serves."""
    journal = history()
    place.fold(journal)
    rows = place.rows()
    with closing(sqlite3.connect(place.data_dir / "projector.db")) as db, db:
        db.execute("drop table projector_snapshots")
        db.execute("update projector_about set value = '1' where name in ('schema', 'digest')")
    found = await place.rebuild(journal)
    assert (found.compared, found.rows) == (False, 0)
    finish(place.replacement, found)
    assert await place.started(journal) == {"campaign.records/0": 22, "campaign.records/1": 45}
    assert place.rows() == rows


async def test_views_of_another_build_or_log_are_not_taken(place: Place) -> None:
    journal = history()
    place.fold(journal)
    rows = place.rows()
    finish(place.replacement, await place.rebuild(journal))
    store = place.replacement.opened()
    with store.writing() as tx:
        store.put(tx, ABOUT, [{"name": "schema", "value": "1"}])
    store.close()
    await place.started(journal)
    assert place.rows() == rows
    assert not place.replacement.ready
    place.run("update projector_about set value = 'another' where name = 'log'")
    with pytest.raises(
        LogCutError, match="expected views of the log memory, found those of another"
    ):
        await place.rebuild(journal)


async def test_a_log_that_was_cut_exchanges_nothing(tmp_path: Path) -> None:
    place, journal = Place(None, tmp_path), history()
    place.fold(journal, 10)
    finish(place.replacement, await place.rebuild(journal))
    place.fold(journal)
    rows = place.rows()
    for partition in every_partition(journal):
        del journal.log._records[partition][11:]
    with pytest.raises(LogCutError):
        await place.started(journal)
    assert place.replacement.ready
    assert place.rows() == rows, "they may hold the only copy of what was acknowledged"


@pytest.mark.parametrize("until_s", [0.004, 0.02, None])
async def test_what_is_published_goes_on_exactly_where_it_was(
    until_s: float | None, tmp_path: Path
) -> None:
    journal, topic = history(), Topic()
    (tmp_path / "alive").mkdir()
    await run(journal, topic, tmp_path / "alive", until_s)
    # A thread of the killed one may still have its files open: a dead process has not.
    left = Path(copytree(tmp_path / "alive", tmp_path / "left", ignore=ignore_patterns("*-shm")))
    place = Place(None, left)
    unpublished = {row[:3] for row in place.rows()[OUTBOX.name]}
    found = await place.rebuild(journal)
    assert found.differences == 0, found.shown
    finish(place.replacement, found)
    beside = ViewStore(None, left / "replacement")
    kept = {row[:3] for row in beside.dump([OUTBOX])[OUTBOX.name]}
    beside.close()
    assert kept >= unpublished, "no gap"
    journal.stop(1)
    place.replacement.swap()
    await run(journal, topic, left, None)
    for partition in (0, 1):
        ids = [orjson.loads(value)["id"] for _, value in topic.events.get(partition, [])]
        assert list(dict.fromkeys(ids)) == expected(journal, partition)
        if until_s is None:
            assert ids == expected(journal, partition), "no event came twice"
            assert not kept, "what was published is not put into the outbox again"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A data directory with a log, and views of it."""
    monkeypatch.setenv("DIALGATE_DATA_DIR", str(tmp_path))
    for name in ("DIALGATE_KAFKA_SERVERS", "DIALGATE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    journal = history()
    write_log(journal, tmp_path)
    log = SqliteLog(tmp_path / "log.db", 2, exclusive=False)

    async def folded() -> None:
        await log.open()
        part = Projector(log, SystemClock(), ProjectorSettings(), tmp_path, None)
        await part.open()
        await fold_to(part.views, await log.ends(part.partitions))
        await part.close()
        await log.close()

    asyncio.run(folded())
    return Place(None, tmp_path)


def verb(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(cli, ["rebuild", *arguments])
    assert done.exit_code == status, done.output
    return done.stdout


def test_the_command_says_what_it_did(system: Place) -> None:
    assert "The views in service stay." in verb("--dry-run")
    assert not system.replacement.ready
    told = orjson.loads(verb("--json"))
    assert (told["differences"], told["compared"], told["ready"]) == (0, True, True)
    assert told["positions"] == {"campaign.records/0": 22, "campaign.records/1": 45}
    assert system.replacement.ready


def test_differences_are_bounded_exit_with_one_and_change_nothing(system: Place) -> None:
    system.run("update projector_contacts set status = 'pending'")
    told = verb("--show", "2", status=1).splitlines()
    assert len(told) == 3
    assert told[0].startswith('contacts 1/1: status: old "pending", new "busy"')
    assert told[-1].endswith(" 15 differ. The views in service stay.")
    assert not system.replacement.ready
    assert verb("--accept-differences", "--show", "0").endswith(
        "takes the new views into service.\n"
    )
    assert system.replacement.ready


def test_without_views_there_is_nothing_to_rebuild(system: Place) -> None:
    (system.data_dir / "projector.db").unlink()
    done = CliRunner().invoke(cli, ["rebuild"])
    assert done.exit_code == 2
    assert done.stderr.startswith("dialgate: there are no views yet: ")


def test_killed_while_it_runs_it_leaves_no_trace_after_the_next(system: Place) -> None:
    rows = system.rows()
    command = [sys.executable, "-m", "dialgate", "rebuild"]
    with subprocess.Popen(command, env=os.environ) as process:
        while not (system.data_dir / "replacement").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert system.rows() == rows
    assert orjson.loads(verb("--json"))["ready"]
