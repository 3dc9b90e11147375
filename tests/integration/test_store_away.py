"""PostgreSQL goes away and comes back: the projector waits, says so, and goes on by itself."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import Disposition
from campaigns.process.errors import StoreElsewhereError, StoreUnavailableError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.commits import Commits
from projector.service import Projector
from projector.store.tables import ABOUT, METADATA, TRACKING
from projector.store.view_store import ViewStore
from tests.integration.test_commits import caught_up, following, rebuilt, views_of
from tests.integration.test_exchange import ONE, serving
from tests.integration.test_projector_publishing import Topic, expected, history
from tests.integration.test_rebuild import Place
from tests.support.journal import Journal, every_partition
from tests.support.postgres import Server
from tests.support.waiting import until

TABLES = [table for table in METADATA.sorted_tables if table is not ABOUT]
OTHER = Partition(CAMPAIGN_RECORDS, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Server:
    return Server(tmp_path_factory.mktemp("postgres"))


@pytest.fixture
def server(made: Server) -> Iterator[Server]:
    server = made
    server.start()
    store = ViewStore(server.url, None)
    METADATA.drop_all(store.engine)
    store.close()
    yield server
    with contextlib.suppress(AssertionError):  # It may be down already.
        server.crash()


def crash_in(part: Projector, server: Server, moment: str) -> None:
    """Have the server crash once: before a batch's transaction, within it, or at its commit."""
    store, writing = part.store, part.store.writing
    left = [None]

    def once() -> None:
        if left:
            left.pop()
            server.crash()

    @contextlib.contextmanager
    def crashing() -> Iterator[Any]:  # Any: a connection.
        if moment == "before":
            once()
        with writing() as tx:
            if moment == "within":
                tx.exec_driver_sql("select 1")
                once()
            yield tx
            if moment == "at its commit":
                once()

    store.writing = crashing  # type: ignore[method-assign]  # Put back by itself: it is once.


@pytest.mark.parametrize("moment", ["before", "within", "at its commit"])
async def test_away_under_load_it_says_so_and_goes_on_by_itself(
    server: Server, moment: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, topic = history(), Topic()
    place = Place(server.url, tmp_path)
    async with serving(place, journal, topic) as (part, client):
        assert (await client.get(ONE)).status_code == 200
        crash_in(part, server, moment)
        journal.call(6, Disposition.BUSY, campaign_id=1)
        await until(lambda: part.store.away)
        for number in (1, 2, 3):
            journal.stop(number)
        for path in (ONE, f"{ONE}/executions", f"{ONE}?consistency=eventual"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)
            assert answer.json()["detail"].startswith("the views' database cannot be used: ")
        (trouble,) = await part.troubles()
        assert trouble.startswith("projector: the views' database cannot be used: ")
        server.start()
        await until(lambda: part.store.away is None)
        answer = await client.get(ONE)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        await until(lambda: all(topic.ids(n) == expected(journal, n) for n in (0, 1)))
        assert not await part.troubles()
        rows = part.store.dump(TABLES)
    for partition in (0, 1):
        ids = [orjson.loads(value)["id"] for _, value in topic.events[partition]]
        assert ids == expected(journal, partition), "nothing is lost, or published twice"
    server.crash()
    said = [one for one in caplog.messages if one.startswith("the views stand still")]
    assert len(said) == 1, "once an outage"
    again = Place(None, tmp_path / "again")
    again.data_dir.mkdir()
    again.fold(journal, publishes=False)
    assert {n: found for n, found in again.rows().items() if not n.endswith("outbox")} == {
        n: found for n, found in rows.items() if not n.endswith("outbox")
    }


async def test_away_while_nothing_happens_queries_are_503_and_readiness_is_red(
    server: Server, tmp_path: Path
) -> None:
    journal = history()
    async with serving(Place(server.url, tmp_path), journal) as (part, client):
        assert (await client.get(ONE)).status_code == 200
        server.crash()
        assert part.store.away is None, "nobody has noticed"
        assert (await client.get(ONE)).status_code == 503
        assert await part.troubles()
        server.start()
        assert (await client.get(ONE)).status_code == 200
        assert not await part.troubles()


class Lossy(ViewStore):
    """A store that is away for some tries, or whose acknowledgements are lost."""

    tries, lost, away_for = 0, 0, 0

    @contextlib.contextmanager
    def writing(self) -> Iterator[Any]:  # Any: a connection.
        self.tries += 1
        if self.away_for:
            self.away_for -= 1
            raise StoreUnavailableError("away")
        with super().writing() as tx:
            yield tx
        if self.lost:
            self.lost -= 1
            raise StoreUnavailableError("the acknowledgement was lost")


async def test_a_commit_that_had_arrived_is_not_repeated(tmp_path: Path) -> None:
    journal = history()
    store = Lossy(None, tmp_path)
    views = views_of(journal, store)
    store.lost = 3
    async with following(views, Commits(views, 0.001, retry_max_s=0.001)):
        await caught_up(views, journal)
    assert not store.lost
    assert store.dump(TABLES) == rebuilt(journal, tmp_path / "again")
    store.close()


async def test_it_is_asked_with_growing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, waits = history(), list[float]()
    store = Lossy(None, tmp_path)
    views = views_of(journal, store)
    store.away_for, store.tries = 8, 0
    sleep = asyncio.sleep

    async def noted(wait_s: float) -> None:
        if wait_s > 0.05:
            waits.append(wait_s)
        await sleep(0)

    async with following(views, Commits(views, 0.001, retry_max_s=2.0)):
        monkeypatch.setattr(asyncio, "sleep", noted)
        await until(lambda: not store.away_for)
        await caught_up(views, journal)
        monkeypatch.undo()
    assert waits[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    store.close()


async def test_a_database_that_comes_back_older_is_not_written_to(tmp_path: Path) -> None:
    """Restored from a copy, or with its last commits lost: the next start folds them again."""
    journal = history()
    store = ViewStore(None, tmp_path)
    views = views_of(journal, store)
    for partition in every_partition(journal):
        views.reader.step(partition, journal.log._records[partition])
    with store.writing() as tx:
        tx.execute(TRACKING.update().values(position=7))
    journal.stop(1)
    with pytest.raises(StoreElsewhereError, match=r"expected campaign\.records/1@\d+, found .*@7:"):
        views.reader.step(OTHER, journal.log._records[OTHER])
    store.close()


async def test_a_stop_while_it_is_away_does_not_wait_for_it(tmp_path: Path) -> None:
    journal = Journal()
    journal.create(1)
    store = Lossy(None, tmp_path)
    views = views_of(journal, store)
    committing = Commits(views, 0.001, retry_max_s=0.001)
    async with following(views, committing):
        store.away_for = 1_000_000
        journal.start(1)
        await until(lambda: store.away)
        async with asyncio.timeout(20):
            await committing.drain()
    store.away_for = 0
    store.close()
