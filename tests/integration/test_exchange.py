"""Rebuilt views take the place of those in service while these serve: nobody sees it."""

import asyncio
import contextlib
import fcntl
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from typer.testing import CliRunner

from campaigns.domain.facts import Disposition
from campaigns.http.door import POSITION
from campaigns.http.edge import install
from campaigns.http.size_limits import Limits
from campaigns.process.clock import SystemClock
from campaigns.process.errors import PartRunningError, StoreUnavailableError
from dialgate.__main__ import cli
from projector import exchange as exchanges
from projector.exchange import Exchange
from projector.rebuild import finish
from projector.service import Projector
from projector.settings import ProjectorSettings
from projector.store import replacement as replacements
from projector.store.gate import Gate
from projector.store.tables import ABOUT, CONTACTS, METADATA, OUTBOX
from projector.store.view_store import ViewStore
from tests.integration.test_projector_publishing import Topic, expected, history
from tests.integration.test_rebuild import Place
from tests.support.journal import Journal
from tests.support.log_file import write_log
from tests.support.postgres import postgres_url

NEVER_S = 3600.0
WITHIN_S = 60.0
ONE = "/api/v1/campaigns/1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(None, tmp_path)
    found = Place(request.getfixturevalue("server"), tmp_path)
    found.replacement.discard()
    store = ViewStore(found.url, None)
    METADATA.drop_all(store.engine)
    store.close()
    return found


@contextlib.asynccontextmanager
async def serving(
    place: Place, journal: Journal, topic: Topic | None = None, *, check_s: float = 0.02
) -> AsyncIterator[tuple[Projector, httpx.AsyncClient]]:
    """Run a projector, and a client."""
    settings = ProjectorSettings(
        database_url=SecretStr(place.url) if place.url else None,
        api_key=SecretStr("one"),
        rebuilt_check_s=check_s,
        linger_ms=1,
        fresh_s=WITHIN_S,  # A 503 of a busy machine is none of the exchange's.
    )
    part = Projector(journal.log, SystemClock(), settings, place.data_dir, topic)
    app = FastAPI()
    install(app, Limits(1000, 1000))
    for router in part.routers():
        app.include_router(router)
    await part.open()
    running = asyncio.create_task(part.run())
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": "Bearer one"},
    )
    async with client:
        yield part, client
    assert not running.done(), running.exception()
    await part.drain()
    running.cancel()
    await asyncio.wait([running])
    await part.close()


async def exchanged(part: Projector, place: Place, journal: Journal) -> None:
    """Rebuild, and wait until the projector has taken the new views into service."""
    before = part.store.engine
    finish(place.replacement, await place.rebuild(journal))
    async with asyncio.timeout(WITHIN_S):
        while part.store._engine in (before, None):
            await asyncio.sleep(0.005)
    async with part.commits.rest():
        assert not place.replacement.ready


async def load(journal: Journal, client: httpx.AsyncClient, over: asyncio.Event) -> int:
    """Write and read until it is over: each answer is fresh, and no position goes back."""
    last = answers = 0
    for contact_id in range(10, 1_000_000):
        journal.call(contact_id, Disposition.BUSY)
        for path in (ONE, f"{ONE}/contacts?limit=5", f"{ONE}/executions?limit=5"):
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            position = int(answer.headers[POSITION].partition("@")[2])
            assert position >= last
            last, answers = position, answers + 1
        seen = answer.json()["executions"][0]
        assert seen["contact_id"] == contact_id, "as fresh as the log"
        if over.is_set():
            break
    return answers


async def test_while_it_serves_nobody_sees_an_older_position_or_an_error(place: Place) -> None:
    journal, over = Journal(), asyncio.Event()
    journal.create(1, contacts=2_000)
    journal.start(1)
    for contact_id in range(1, 10):
        journal.call(contact_id, Disposition.BUSY)
    place.fold(journal)
    place.run("update projector_contacts set status = 'pending' where contact_id < 10")
    async with serving(place, journal) as (part, client):
        under_way = asyncio.create_task(load(journal, client, over))
        await exchanged(part, place, journal)
        over.set()
        assert await under_way
    rows = place.rows()
    statuses = {row[3] for row in rows[CONTACTS.name] if row[1] in range(10)}
    assert statuses == {"busy"}, "the rebuilt ones are in service"
    assert (await place.rebuild(journal)).differences == 0


async def test_campaigns_in_memory_are_those_of_the_views_in_service(tmp_path: Path) -> None:
    """What was wrong in memory is right after the exchange, without a restart."""
    place, journal = Place(None, tmp_path), history()
    place.fold(journal)
    async with serving(place, journal) as (part, client):
        held = part.campaigns
        part.campaigns.by_id[1] = part.campaigns.by_id[2]
        await exchanged(part, place, journal)
        assert part.campaigns is held, "sockets, metrics and queries have it"
        assert part.campaigns.by_id[1].created.campaign_id == 1
        assert (await client.get(ONE)).status_code == 200


async def test_what_is_published_goes_on_exactly_where_it_was(place: Place) -> None:
    journal, topic = history(), Topic()
    async with serving(place, journal, topic) as (part, _):
        for number in range(2):
            journal.call(6, Disposition.BUSY, campaign_id=number + 1)
            await exchanged(part, place, journal)
            journal.stop(number + 1)
        async with asyncio.timeout(20):
            while any(topic.ids(n) != expected(journal, n) for n in (0, 1)):
                await asyncio.sleep(0.005)
    for partition in (0, 1):
        ids = [orjson.loads(value)["id"] for _, value in topic.events[partition]]
        assert ids == expected(journal, partition), "no gap, no repeat"
    store = ViewStore(place.url, place.data_dir)
    left = [row[:3] for row in store.dump([OUTBOX])[OUTBOX.name]]
    store.close()
    assert not left


async def test_killed_at_any_step_exactly_one_store_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Around each step on the disk, what lies there is kept as a dead process leaves it."""
    place, journal = Place(None, tmp_path / "alive"), history()
    place.data_dir.mkdir()
    place.fold(journal)
    rows, moments = place.rows(), list[Path]()

    def keep() -> None:
        moments.append(tmp_path / f"dead-{len(moments)}")
        shutil.copytree(place.data_dir, moments[-1], ignore=shutil.ignore_patterns("*-shm"))

    def watched(step: Any) -> Any:  # Any: whatever it takes.
        def run(*args: Any) -> Any:
            keep()
            done = step(*args)
            keep()
            return done

        return run

    monkeypatch.setattr(replacements, "_settle", watched(replacements._settle))
    monkeypatch.setattr(Path, "replace", watched(Path.replace))
    monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))
    async with serving(place, journal) as (part, _):
        moments.clear()
        await exchanged(part, place, journal)
    monkeypatch.undo()
    assert len(moments) == 8, "two stores are settled, one is renamed, and its folder is removed"
    for moment in moments:
        found = Place(None, moment)
        await found.started(journal)
        assert found.rows() == rows, moment.name
        assert not found.replacement.ready


async def test_somebody_who_reads_for_long_delays_it_and_meets_no_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "READERS_S", 0.05)
    journal = history()
    place.fold(journal)
    async with serving(place, journal, check_s=NEVER_S) as (part, client):
        with part.store.reading() as tx:
            tx.exec_driver_sql("select 1").all()
            finish(place.replacement, await place.rebuild(journal))
            looked = Exchange(part.views, part.commits, place.replacement, 1.0)
            assert not await looked.look()
            assert tx.exec_driver_sql("select count(*) from projector_contacts").scalar()
            assert (await client.get(ONE)).status_code == 200
            assert place.replacement.ready
        async with asyncio.timeout(20):
            while not await looked.look() or place.replacement.ready:
                await asyncio.sleep(0.005)
        assert (await client.get(ONE)).status_code == 200


async def test_views_of_another_build_wait_for_its_projector(tmp_path: Path) -> None:
    place, journal = Place(None, tmp_path), history()
    place.fold(journal)
    async with serving(place, journal, check_s=NEVER_S) as (part, client):
        finish(place.replacement, await place.rebuild(journal))
        store = place.replacement.opened()
        with store.writing() as tx:
            store.put(tx, ABOUT, [{"name": "schema", "value": "999"}])
        store.close()
        assert await Exchange(part.views, part.commits, place.replacement, 1.0).look()
        assert place.replacement.ready, "neither taken nor discarded"
        assert (await client.get(ONE)).status_code == 200


async def test_views_elsewhere_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the same position with the same digest: then something is wrong with one of them."""
    place, journal = Place(None, tmp_path), history()
    place.fold(journal)
    monkeypatch.setattr(exchanges, "places", lambda tx: {"at": (id(tx), b"")})
    async with serving(place, journal, check_s=NEVER_S) as (part, client):
        finish(place.replacement, await place.rebuild(journal))
        assert not await Exchange(part.views, part.commits, place.replacement, 1.0).look()
        assert (await client.get(ONE)).status_code == 200
        assert place.replacement.ready


def test_two_rebuilds_lock_each_other(place: Place, tmp_path: Path) -> None:
    """On PostgreSQL from any machine: each has a data directory of its own."""
    if place.url is None:
        return
    other = Place(place.url, tmp_path / "elsewhere")
    with place.replacement.held() as check:
        check()
        with (
            pytest.raises(PartRunningError, match=r"rebuilt or exchanged by another process \(of "),
            other.replacement.held(),
        ):
            pass
        check()
    with other.replacement.held():
        pass


def test_the_second_of_two_rebuilds_says_so_in_one_sentence(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verb: on PostgreSQL beside one of another machine, on a file beside another process."""
    elsewhere = tmp_path / "elsewhere"
    journal = history()
    write_log(journal, elsewhere if place.url else tmp_path)
    place.fold(journal)
    monkeypatch.setenv("DIALGATE_DATA_DIR", str(elsewhere if place.url else tmp_path))
    monkeypatch.delenv("DIALGATE_KAFKA_SERVERS", raising=False)
    if place.url:
        monkeypatch.setenv("DIALGATE_DATABASE_URL", place.url)
    with held_elsewhere(place, tmp_path):
        second = CliRunner().invoke(cli, ["rebuild", "--dry-run"])
        assert (second.exit_code, second.stdout) == (2, ""), second.output
        (line,) = second.stderr.splitlines()
        assert line.startswith("dialgate: ")
        assert ("another process" if place.url else "rebuild is already running on") in line
    after = CliRunner().invoke(cli, ["rebuild", "--dry-run"])
    assert "expected views of the log" in after.stderr, "it has begun: these are of another one"


@contextlib.contextmanager
def held_elsewhere(place: Place, data_dir: Path) -> Iterator[None]:
    """Hold the lock of a rebuild as another process does: that of a file is a process's."""
    if place.url:
        with place.replacement.held():
            yield
        return
    with (data_dir / "rebuild.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_lock_that_is_lost_is_noticed(server: str, tmp_path: Path) -> None:
    place = Place(server, tmp_path)
    store = ViewStore(server, None)
    with place.replacement.held() as check:
        with store.writing() as tx:
            tx.exec_driver_sql(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            )
        with pytest.raises(StoreUnavailableError):
            check()
    store.close()


def test_a_gate_that_is_shut_lets_nobody_in_and_opens_again() -> None:
    gate, entered = Gate(), Event()

    def enter() -> None:
        with gate.passing():
            entered.set()

    with gate.passing(), pytest.raises(StoreUnavailableError), gate.shut(0.01):
        pass
    with gate.shut(0.01):
        thread = Thread(target=enter)
        thread.start()
        assert not entered.wait(0.02)
    assert entered.wait(20)
    thread.join()
