"""`dialgate why`: what it prints, and what it is misused for, on an embedded log that is in use."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import Disposition
from campaigns.domain.values.instants import instant
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON
from dialgate.settings import ProcessSettings
from dialgate.verbs.inspection import campaign_records
from dialgate.verbs.inspection.why import why
from dialgate.verbs.verb import MisusedError
from tests.integration.test_projector import ONE, serving
from tests.support.sample_facts import call_ended, call_started
from tests.support.told_log import ToldLog, asked, running

CALL = asked("a")
TOLD = [*running(1), CALL, call_started(CALL, NOON), call_ended(CALL, NOON, Disposition.ANSWERED)]


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[ProcessSettings]:
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    for record in ToldLog().tell(TOLD).records:
        await log.append(FIRST, record, 1)
    yield ProcessSettings(data_dir=tmp_path)
    await log.close()


async def test_it_says_the_gate_and_the_history(
    settings: ProcessSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await why(settings, 1, CALL.contact_id, as_json=True) == 0
    found: dict[str, Any] = orjson.loads(capsys.readouterr().out)
    assert found["now"]["gate"] == "contact-done"
    assert [one["what"] for one in found["history"]] == [
        "call-requested.v1", "call-started.v1", "call-ended.v1",
    ]  # fmt: skip
    assert [one["position"] for one in found["history"]] == ["0@3", "0@4", "0@5"]
    await why(settings, 1, CALL.contact_id)
    first, gate, *history = capsys.readouterr().out.splitlines()
    assert first == f"contact {CALL.contact_id} of campaign 1: completed"
    assert gate.endswith("contact-done: contact is completed")
    assert history[-1].endswith("ended: answered after 1 s; no further attempt in this run")


async def test_it_says_what_was_so_at_an_instant(
    settings: ProcessSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await why(settings, 1, 1, instant(NOON), as_json=True) == 0
    assert orjson.loads(capsys.readouterr().out)["asked_at"] == instant(NOON)
    with pytest.raises(MisusedError, match="expected a campaign of this log by"):
        await why(settings, 1, 1, instant(NOON - timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("campaign_id", "contact_id", "at", "sentence"),
    [
        (9, 1, None, "expected a campaign of this log, found 9"),
        (1, 10**6, None, "expected a contact of campaign 1, 1 to"),
        (1, 1, "yesterday", "--at: expected an instant with its offset"),
        (1, 1, "2026-03-02T12:00:00", "--at: expected an instant with its offset"),
        (1, 1, "2999-01-01T00:00:00Z", "--at: 2999-01-01T00:00:00Z has not come yet"),
    ],
)
async def test_what_does_not_fit_is_one_sentence(
    settings: ProcessSettings, campaign_id: int, contact_id: int, at: str | None, sentence: str
) -> None:
    with pytest.raises(MisusedError, match=sentence):
        await why(settings, campaign_id, contact_id, at)


async def test_where_the_projector_has_an_index_only_the_campaigns_own_records_are_read(
    settings: ProcessSettings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await why(settings, 1, CALL.contact_id, instant(NOON), as_json=True) == 0
    scanned = capsys.readouterr().out
    assert settings.data_dir is not None
    log = SqliteLog(settings.data_dir / "log.db", exclusive=False)
    await log.open()
    async with serving(log, settings.data_dir) as client:
        await client.get(ONE)
    await log.close()
    monkeypatch.delattr(campaign_records, "ruled_batches")  # It is not needed.
    assert await why(settings, 1, CALL.contact_id, instant(NOON), as_json=True) == 0
    assert capsys.readouterr().out == scanned
