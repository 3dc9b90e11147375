"""`as_of`: what is answered about the past is what was answered then."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from campaigns.domain.contact import ContactStatus
from campaigns.domain.facts import (
    CallStarted,
    CampaignDeleted,
    CampaignFact,
    CampaignPaused,
    CampaignStopped,
    Disposition,
    Selection,
)
from campaigns.log.port import MemoryLog
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.past import time_travel
from projector.projections import contacts, records
from projector.store.view_store import ViewStore
from tests.integration import test_projector
from tests.integration.test_projector import ALL, ONE, SETTINGS, serving, serving_projector
from tests.support.author import STEPS, Author
from tests.support.folded_journal import FoldedJournal
from tests.support.journal import Journal

HERE = Partition(CAMPAIGN_RECORDS, 0)
SEEDS = int(os.environ.get("PAST_SEEDS", "8"))  # Ten positions each.
Answer = tuple[int, str | None, Any]  # Status, ETag, and JSON.


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take snapshots often, and keep blocks small, so that a short history has several."""
    monkeypatch.setattr(records, "BLOCK", 5)
    monkeypatch.setattr(records, "SNAPSHOT_EVERY", 7)
    monkeypatch.setattr(contacts, "STRETCH", 11)


def told(seed: int) -> Journal:
    """Tell a story of campaign 1, with others beside it, by writers whose clocks differ."""
    author = Author(seed)
    journal = author.told
    journal.create(2, contacts=1)
    journal.start(2)
    for _ in range(3 * STEPS):
        author.tell()
        if author.chance.random() < 0.3:
            journal.refused()
        if author.chance.random() < 0.3:
            journal.log.append_bytes(HERE, b"strange")
        if author.chance.random() < 0.3:
            paused = CampaignPaused(campaign_id=2, reason=None, paused_at=journal.now)
            journal.write(paused, campaign_id=2)
        journal.now += timedelta(seconds=author.chance.randint(-30, 40))
    return journal


def paths(chance: random.Random) -> Sequence[str]:
    """Return every query about a campaign that knows `as_of`; its lists with some filter."""
    status = chance.choice(list(ContactStatus))
    page = f"skip={chance.randint(0, 4)}&limit={chance.randint(1, 4)}"
    return (
        "", "/progress", "/schedule", "/pause", "/contacts?per_page=100", "/executions",
        f"/contacts?status={status}", f"/executions?status={status}", f"/contacts?{page}",
        f"/executions?{page}",
    )  # fmt: skip


async def answer(client: httpx.AsyncClient, path: str, as_of: str | None = None) -> Answer:
    if as_of is not None:
        path += f"{'&' if '?' in path else '?'}as_of={as_of.replace('+', '%2B')}"
    found = await client.get(f"{ONE}{path}")
    shape = found.json()
    if path.startswith("/progress") and (idle := shape.pop("idle", None)):
        assert as_of is None, f"only the present is idle for a reason: {idle}"
    return found.status_code, found.headers.get("ETag"), shape


def time_of(recorded: Recorded) -> datetime:
    assert isinstance(recorded.envelope, Envelope)
    return datetime.fromisoformat(recorded.envelope.time)


def own(journal: Journal) -> list[Recorded]:
    return [
        one
        for one in journal.records
        if any(isinstance(fact, CampaignFact) and fact.campaign_id == 1 for fact in one.facts)
    ]


def shown_at(journal: Journal, at: datetime) -> int:
    """Return the position that an instant means: reckoned plainly."""
    position = 0
    for one in own(journal):
        if time_of(one) > at:
            break
        position = one.position
    return position


@contextlib.asynccontextmanager
async def both(
    journal: Journal, folder: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient, MemoryLog]]:
    """Serve the whole log, and beside it one that is still empty."""
    (folder / "now").mkdir()
    (folder / "then").mkdir()
    growing = MemoryLog()
    async with (
        serving(journal.log, folder / "now") as now,
        serving(growing, folder / "then") as then,
    ):
        yield now, then, growing


async def compare(seed: int, folder: Path, many: int, *, all_paths: bool = True) -> int:
    """Compare answers about the past with those of a projector that knows no more.

    Returns how many points were compared. `all_paths` False: five of the paths at each.
    """
    journal, chance = told(seed), random.Random(seed)
    every = journal.log._records[HERE]
    positions = sorted(chance.choices(range(1, len(every) + 1), k=many))
    async with both(journal, folder) as (now, then, growing):
        for position in positions:
            for one in every[len(growing._records[HERE]) : position]:
                growing.append_bytes(HERE, one.raw or b"")
            asked = paths(chance)
            for path in asked if all_paths else chance.sample(asked, 5):
                was = await answer(then, path)
                assert was[0] == 200
                assert await answer(now, path, f"0@{position}") == was, (position, path)
            at = time_of(chance.choice(own(journal))) + timedelta(seconds=chance.randint(-2, 2))
            if meant := shown_at(journal, at):
                for path in ("", "/contacts", "/executions"):
                    by_time = await answer(now, path, at.isoformat())
                    assert by_time == await answer(now, path, f"0@{meant}"), (at, path)
            else:
                assert (await answer(now, "", at.isoformat()))[0] == 422
    return len(positions)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_past_is_answered_as_it_was_then(seed: int, tmp_path: Path) -> None:
    assert await compare(seed, tmp_path, 10, all_paths=False) == 10


@pytest.fixture
def journal() -> FoldedJournal:
    """Three contacts: one answered, one busy and then given up, one never called; armed again."""
    told = FoldedJournal()
    told.running(3)
    told.call(1)
    told.pause("lunch")
    told.resume()
    told.call(2, Disposition.FAILED)
    told.stop()
    told.rearm(Selection.CONTACTS, 1)
    return told


@pytest.fixture
async def client(journal: FoldedJournal, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(journal.log, tmp_path) as client:
        yield client


async def got(client: httpx.AsyncClient, path: str, as_of: str) -> Any:  # Any: JSON.
    status, _, found = await answer(client, path, as_of)
    assert status == 200, found
    return found


async def refused(client: httpx.AsyncClient, path: str, as_of: str) -> str:
    """Return why this point is refused: one sentence about `as_of`."""
    status, _, found = await answer(client, path, as_of)
    assert status == 422, found
    (error,) = found["detail"]
    assert error["loc"] == ["query", "as_of"]
    return str(error["msg"])


async def test_each_state_of_a_campaign_can_be_seen_again(
    client: httpx.AsyncClient, journal: FoldedJournal
) -> None:
    place = {type(one.facts[-1]): one for one in journal.records}
    paused, stopped = place[CampaignPaused].position, place[CampaignStopped].position
    assert [(await got(client, "", f"0@{n}"))["status"] for n in (1, 2, paused, stopped)] == [
        "draft", "running", "paused", "cancelled",
    ]  # fmt: skip
    assert (await got(client, "/pause", f"0@{paused}"))["reason"] == "lunch"
    statuses = [
        {one["id"]: one["status"] for one in (await got(client, "/contacts", f"0@{n}"))["items"]}
        for n in (1, paused, stopped, stopped + 1)
    ]
    assert statuses == [
        {1: "pending", 2: "pending", 3: "pending"},
        {1: "completed", 2: "pending", 3: "pending"},
        {1: "completed", 2: "failed", 3: "cancelled"},
        {1: "pending", 2: "skipped", 3: "skipped"},
    ]
    ringing = next(one for one in journal.records if isinstance(one.facts[0], CallStarted))
    (execution,) = (await got(client, "/executions", f"0@{ringing.position}"))["items"]
    assert (execution["status"], execution["completed_at"]) == ("in_progress", None)
    when = time_of(place[CampaignPaused])
    assert (await got(client, "", when.isoformat()))["status"] == "paused"
    assert (await got(client, "", (when - timedelta(microseconds=1)).isoformat()))["status"] == (
        "running"
    )


async def test_an_answer_names_the_version_and_the_position_that_it_shows(
    client: httpx.AsyncClient, journal: FoldedJournal
) -> None:
    by_position = await client.get(ONE, params={"as_of": "0@2"})
    assert (by_position.headers["ETag"], by_position.headers["Dialgate-Position"]) == ('"2"', "0@2")
    at = time_of(journal.records[2]).isoformat()
    assert (await client.get(ONE, params={"as_of": at})).headers["Dialgate-Position"] == "0@3"
    head = await client.head(ONE, params={"as_of": "0@2"})
    assert (head.status_code, head.headers["ETag"]) == (200, '"2"')


async def test_a_point_that_is_not_there_is_refused_with_a_sentence(
    client: httpx.AsyncClient, journal: FoldedJournal
) -> None:
    journal.create(2, contacts=1)
    last = journal.records[-1].position
    for path in ("", "/progress", "/contacts", "/executions", "/schedule", "/pause"):
        ahead = await refused(client, path, f"0@{last + 1}")
        assert ahead == f"0@{last + 1} lies ahead of the log, which ends at 0@{last}"
    assert "lies ahead of the log: it is 20" in await refused(client, "", "2999-01-01T00:00:00Z")
    before = "0@0 lies before campaign 1 was created"
    assert await refused(client, "", "0@0") == before
    early = (time_of(journal.records[0]) - timedelta(seconds=1)).isoformat()
    assert await refused(client, "", early) == f"{early} lies before campaign 1 was created"
    assert "partition, 0, found 1@1" in await refused(client, "", "1@1")
    for odd in ("", "now", "2026-03-02", "2026-03-02T12:00:00", "0@-1", "@", "0@1@2", "٣@1"):
        assert "expected an instant with its offset" in await refused(client, "", odd)
    status, _, found = await answer(client, "", "x" * 65)
    assert (status, found["detail"][0]["loc"]) == (422, ["query", "as_of"])
    other = await client.get(f"{ALL}/2", params={"as_of": f"0@{last - 1}"})
    assert "before campaign 2 was created" in other.text


async def test_the_past_of_others_and_of_nobody_stays_hidden(
    client: httpx.AsyncClient, journal: FoldedJournal
) -> None:
    two = {"Authorization": "Bearer two"}
    for path, status in (("", 403), ("/progress", 404), ("/contacts", 404), ("/executions", 404)):
        for as_of in ("0@2", "0@0", "2026-03-02T12:00:03Z", "9@9"):
            params = {"as_of": as_of}
            assert (await client.get(f"{ONE}{path}", params=params, headers=two)).status_code == (
                status
            )
            assert (await client.get(f"{ALL}/77{path}", params=params)).status_code == 404
    last = journal.records[-1].position
    journal.write(CampaignDeleted(campaign_id=1, reason=None, deleted_at=journal.now))
    assert (await client.get(ONE)).status_code == 404
    assert (await answer(client, "", f"0@{last + 1}"))[0] == 404
    assert (await got(client, "", f"0@{last}"))["status"] == "draft", "it was there then"
    assert (await client.get(ONE, params={"as_of": "0@2"}, headers=two)).status_code == 404


async def test_a_point_that_is_not_folded_yet_is_waited_for(
    client: httpx.AsyncClient, journal: FoldedJournal
) -> None:
    await client.get(ONE)
    journal.start(run=2)
    last = journal.records[-1].position
    found = await client.get(ONE, params={"as_of": f"0@{last}", "consistency": "eventual"})
    assert found.json()["status"] == "running"


async def test_too_many_past_contacts_are_refused_and_the_campaign_is_still_answered(
    journal: FoldedJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = SETTINGS.model_copy(update={"as_of_contacts_max": 1})
    monkeypatch.setattr(test_projector, "SETTINGS", short)
    async with serving(journal.log, tmp_path) as client:
        why = await refused(client, "/contacts", "0@7")
        assert why.startswith("2 contacts of the campaign were called")
        assert "DIALGATE_AS_OF_CONTACTS_MAX" in why
        assert (await got(client, "/executions", "0@7"))["total"] == 1
        assert (await got(client, "/progress", "0@7"))["total_contacts"] == 3


async def test_folds_wait_for_one_another_and_then_say_so(
    journal: FoldedJournal, tmp_path: Path
) -> None:
    async with serving_projector(journal.log, tmp_path) as (projector, client):
        travel = projector.travel
        for _ in range(travel.at_once_max):
            await travel._places.acquire()
        busy = await client.get(ONE, params={"as_of": "0@2"})
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
        assert "as_of" in busy.json()["detail"]
        assert (await client.get(ONE)).status_code == 200
        waiting = asyncio.create_task(client.get(ONE, params={"as_of": "0@2"}))
        travel._places.release()
        assert (await waiting).status_code == 200


async def test_those_who_ask_for_one_point_at_once_share_a_store(
    journal: FoldedJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ViewStore] = []

    class NotedStore(ViewStore):
        def __init__(self, url: str | None, data_dir: Path | None) -> None:
            super().__init__(url, data_dir)
            made.append(self)

    async with serving_projector(journal.log, tmp_path) as (_, client):
        monkeypatch.setattr(time_travel, "ViewStore", NotedStore)
        params = {"as_of": "0@3"}
        asked = [client.get(f"{ONE}/contacts", params=params) for _ in range(6)]
        answers = await asyncio.gather(*asked)
        assert {one.status_code for one in answers} == {200}
        assert len({one.content for one in answers}) == 1
    assert len(made) == 1, "it is folded once"
    assert not Path(made[0].where).exists(), "and deleted"


async def test_few_folded_pasts_are_kept_and_a_page_folds_nothing_again(
    journal: FoldedJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_projector(journal.log, tmp_path) as (projector, client):
        for _ in range(3):
            for position in range(1, len(journal.records) + 1):
                assert (await got(client, "/contacts", f"0@{position}"))["total"] == 3
        kept = projector.travel._kept
        assert len(kept) == time_travel.KEPT_MAX < len(journal.records)
        folders = [one.contacts.where for one in kept.values() if one.contacts is not None]
        assert len(folders) == time_travel.KEPT_MAX

        async def nothing(*_: object) -> None:
            raise AssertionError("it is folded already")

        monkeypatch.setattr(projector.travel, "_folded_contacts", nothing)
        monkeypatch.setattr(projector.travel, "_folded", nothing)
        page = "/contacts?skip=1&limit=1"
        (one,) = (await got(client, page, f"0@{len(journal.records)}"))["items"]
        assert one["id"] == 2
    assert not any(Path(folder).exists() for folder in folders), "they are deleted at the end"
