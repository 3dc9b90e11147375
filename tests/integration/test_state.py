"""`dialgate state` shows what the API shows: from the store in use, the log alone, an export."""

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import CampaignDeleted, CampaignPaused
from campaigns.sqlite.sqlite_log import SqliteLog
from dialgate.settings import ProcessSettings
from dialgate.verbs.evidence.export import export
from dialgate.verbs.inspection import state as verb
from dialgate.verbs.inspection import views_at_hand
from dialgate.verbs.inspection.state import StateQuery, state
from dialgate.verbs.verb import MisusedError
from projector.past import partition_scan
from projector.projections import records
from tests.integration.test_projector import ONE, serving
from tests.integration.test_time_travel import HERE, own, shown_at, time_of, told
from tests.support.journal import Journal

HOWS = ("store", "log", "export")


async def stored(journal: Journal, folder: Path) -> SqliteLog:
    """Put the journal's records into an embedded log; it is open."""
    log = SqliteLog(folder / "log.db", poll_ms=1, exclusive=False)
    await log.open()
    with sqlite3.connect(folder / "log.db") as db:
        every = journal.log._records[HERE]
        rows = [(*HERE, one.position, one.raw) for one in every]
        db.executemany(
            "insert into records (topic, number, position, record) values (?, ?, ?, ?)", rows
        )
    db.close()
    return log


@pytest.fixture
def journal() -> Journal:
    return told(11)


async def printed(
    capsys: pytest.CaptureFixture[str], folder: Path, exported: Path | None = None, **asked: Any
) -> Any:  # Any: JSON.
    capsys.readouterr()
    await state(
        ProcessSettings(data_dir=folder),
        StateQuery(1, as_json=True, reveal=True, **asked),
        exported=exported,
    )
    return orjson.loads(capsys.readouterr().out)


@pytest.mark.parametrize("how", HOWS)
async def test_the_verb_shows_what_the_api_shows(
    how: str,
    journal: Journal,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "SNAPSHOT_EVERY", 7)
    monkeypatch.setattr(verb, "_PAGE", 2)
    if how == "store":
        monkeypatch.delattr(partition_scan.PartitionScan, "past")  # It is not needed.
    log = await stored(journal, tmp_path)
    async with serving(log, tmp_path) as client:
        exported = None
        if how == "export":
            exported = tmp_path / "export"
            await export(ProcessSettings(data_dir=tmp_path), exported, None)
        if how == "log":
            (tmp_path / "projector.db").rename(tmp_path / "aside.db")
        last = journal.log._records[HERE][-1].position
        middle = own(journal)[len(own(journal)) // 2]
        for as_of, at in (
            (None, last), ("0@2", 2), (f"0@{middle.position}", middle.position),
            (time_of(middle).isoformat(), shown_at(journal, time_of(middle))),
        ):  # fmt: skip
            params = {} if as_of is None else {"as_of": as_of}
            shown = (await client.get(ONE, params=params)).json()
            contacts = (await client.get(f"{ONE}/contacts", params=params)).json()["items"]
            assert await printed(capsys, tmp_path, exported, as_of=as_of) == {
                "as_of": f"0@{at}", **shown
            }  # fmt: skip
            whole = await printed(capsys, tmp_path, exported, as_of=as_of, contacts=True)
            assert whole == {"as_of": f"0@{at}", **shown, "contacts": contacts}
            assert len(contacts) > verb._PAGE
    await log.close()


async def why_not(folder: Path, campaign_id: int = 1, as_of: str | None = None) -> str:
    """Return the sentence of a refusal."""
    with pytest.raises(MisusedError) as refused:
        await state(ProcessSettings(data_dir=folder), StateQuery(campaign_id, as_of))
    return str(refused.value)


async def test_what_is_not_there_is_refused_with_a_sentence(
    journal: Journal, tmp_path: Path
) -> None:
    last = journal.records[-1].position
    journal.write(CampaignDeleted(campaign_id=1, reason=None, deleted_at=journal.now))
    log = await stored(journal, tmp_path)
    end = journal.records[-1].position
    assert await why_not(tmp_path, 77) == "the log has no campaign 77"
    ahead = f"--as-of: 0@{end + 1} lies ahead of the log, which ends at 0@{end}"
    assert await why_not(tmp_path, 1, f"0@{end + 1}") == ahead
    assert await why_not(tmp_path, 1, "0@0") == "--as-of: 0@0 lies before campaign 1 was created"
    assert "expected an instant" in await why_not(tmp_path, 1, "")
    assert "it is 20" in await why_not(tmp_path, 1, "2999-01-01T00:00:00Z")
    assert f"campaign 1 is deleted at 0@{end}" in await why_not(tmp_path)
    await state(ProcessSettings(data_dir=tmp_path), StateQuery(1, f"0@{last}"))
    await log.close()


async def test_people_get_a_line_a_field_and_a_line_a_contact(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = await stored(journal, tmp_path)
    await state(ProcessSettings(data_dir=tmp_path), StateQuery(1, "0@2", contacts=True))
    await log.close()
    lines = capsys.readouterr().out.splitlines()
    assert ["as_of", "0@2"] in [line.split() for line in lines]
    assert ["status", "running"] in [line.split() for line in lines]
    assert any(line.startswith("1  …01  pending  0") for line in lines)


async def test_a_store_that_stays_behind_is_not_waited_for_and_said(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(views_at_hand, "STILL_S", 0.1)
    log = await stored(journal, tmp_path)
    async with serving(log, tmp_path) as client:
        await client.get(ONE)
    paused = CampaignPaused(campaign_id=2, reason=None, paused_at=journal.now)
    raw = journal.write(paused, campaign_id=2)
    with sqlite3.connect(tmp_path / "log.db") as db:
        db.execute("insert into records values (?, ?, ?, ?)", (*HERE, raw.position, raw.raw))
    db.close()
    before = raw.position - 1
    assert (await printed(capsys, tmp_path))["as_of"] == f"0@{raw.position}"
    await state(ProcessSettings(data_dir=tmp_path), StateQuery(1, as_json=True))
    assert f"store is behind, at 0@{before}" in capsys.readouterr().err
    assert (await printed(capsys, tmp_path, as_of=f"0@{before}"))["id"] == 1
    assert not capsys.readouterr().err, "it has reached that point"
    await log.close()


async def test_a_store_of_another_log_is_not_believed(
    journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "this").mkdir()
    other = await stored(told(5), tmp_path / "other")
    async with serving(other, tmp_path / "other") as client:
        await client.get(ONE)
    log = await stored(journal, tmp_path / "this")
    expected = await printed(capsys, tmp_path / "this", contacts=True)
    (tmp_path / "other" / "projector.db").rename(tmp_path / "this" / "projector.db")
    assert await printed(capsys, tmp_path / "this", contacts=True) == expected
    (tmp_path / "this" / "projector.db").write_bytes(b"nothing of the kind" * 100)
    assert await printed(capsys, tmp_path / "this", contacts=True) == expected
    await log.close()
    await other.close()
