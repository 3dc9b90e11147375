"""`dialgate verify`: what it prints and how it exits, on an embedded log that is in use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import CampaignPaused, Disposition
from campaigns.log.reader import Reader
from campaigns.records.log_entry import Recorded
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, followed
from dialgate.settings import ProcessSettings
from dialgate.verbs.verb import MisusedError
from dialgate.verbs.verify import WhatToJudge, verify
from tests.support.exported import written
from tests.support.on_kafka import opened as on_kafka
from tests.support.sample_facts import call_ended, call_started, campaign_created
from tests.support.told_log import CARRIER, Told, ToldLog, asked, given_back, ring, running

CALL = asked("a")
WELL: list[Told] = [
    *running(1),
    CALL,
    call_started(CALL, NOON),
    call_ended(CALL, NOON, Disposition.ANSWERED),
]
EVERYTHING = WhatToJudge()
PAUSED = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)


class _Fold:
    def fold(self, recorded: Recorded) -> None: ...

    def folded(self, partition: object, position: int) -> None: ...


async def _log(folder: Path, told: Sequence[Told]) -> SqliteLog:
    """Return an open embedded log with these records, each of which counts."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    for record in ToldLog().tell(told).records:
        await log.append(FIRST, record, 1)
    return log


def _line(**fields: Any) -> bytes:  # Any: fields of every type.
    one = ring(CALL)._asdict() | fields
    named = {name: one[name] for name in one if name not in ("carrier", "where")}
    return orjson.dumps(named | {"ring": f"{CARRIER}-1", "to": "+12025550101"}) + b"\n"


class Said:
    """What `dialgate verify` says of a folder's log."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._settings, self._capsys = ProcessSettings(data_dir=folder), capsys

    async def json(
        self,
        asked: WhatToJudge = EVERYTHING,
        exported: Path | None = None,
        settings: ProcessSettings | None = None,
    ) -> tuple[int, Any]:  # Any: JSON.
        """Return the exit code, and the object."""
        settings = settings or self._settings
        status = await verify(settings, asked, as_json=True, exported=exported)
        return status, orjson.loads(self._capsys.readouterr().out)

    async def text(self, asked: WhatToJudge = EVERYTHING) -> str:
        """Return what people read."""
        await verify(self._settings, asked, as_json=False)
        return self._capsys.readouterr().out


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(tmp_path, capsys)


async def test_a_log_that_keeps_every_promise_is_ok_while_it_is_in_use(
    tmp_path: Path, said: Said
) -> None:
    log = await _log(tmp_path, WELL)
    (rings := tmp_path / "rings.jsonl").write_bytes(_line() + b'{"ring": "cut o')
    status, found = await said.json(WhatToJudge(rings=[rings], at=["0@3", "0@0"]))
    reader = Reader(log, _Fold())
    reader.step(FIRST, await log.read(FIRST, 0, 3))
    digests = {"0@3": str(reader.chain(FIRST))}
    reader.step(FIRST, await log.read(FIRST, 3, 100))
    digests["0@5"] = str(reader.chain(FIRST))
    await log.close()
    assert (status, found["ok"], found["violations"]) == (0, True, [])
    assert (found["records"], found["accepted"], found["rings"]) == (5, 5, 1)
    assert found["digests"].items() >= digests.items(), "as every reader keeps them"
    assert found["digests"]["0@0"] == f"sha256:{'0' * 64}"
    assert "organization.records/0@0" in found["digests"]


async def test_a_broken_promise_is_shown_with_its_place_its_call_and_its_sentence(
    tmp_path: Path, said: Said
) -> None:
    await (await _log(tmp_path, [*WELL[:2], PAUSED, CALL, given_back(CALL)])).close()
    status, found = await said.json()
    assert (status, found["ok"], found["violations_found"]) == (1, False, 1)
    assert found["violations"] == [
        {
            "invariant": 2,
            "at": "0@4",
            "campaign_id": 1,
            "call_id": "a",
            "kind": "permitted-not-running",
            "what": "permitted while its campaign was paused",
        }
    ]
    text = await said.text()
    assert "0@4" in text
    assert "no `CallRequested` of that campaign is accepted" in text


async def test_of_many_violations_some_are_listed_and_all_are_counted(
    tmp_path: Path, said: Said
) -> None:
    again = [fact for n in range(5) for fact in (asked(str(n)), given_back(asked(str(n))))]
    await (await _log(tmp_path, [*WELL[:2], PAUSED, *again])).close()
    status, found = await said.json(WhatToJudge(violations_max=2))
    assert (status, len(found["violations"]), found["violations_found"]) == (1, 2, 5)
    assert "and 3 more" in await said.text(WhatToJudge(violations_max=2))


async def test_of_one_campaign_nothing_else_is_shown(tmp_path: Path, said: Said) -> None:
    other = campaign_created(2, NOON, name="Other")
    await (await _log(tmp_path, [*WELL[:2], PAUSED, CALL, other])).close()
    (rings := tmp_path / "rings.jsonl").write_bytes(_line(call_id="b"))
    assert (await said.json(WhatToJudge(campaign=1, rings=[rings])))[1]["violations_found"] == 2
    status, found = await said.json(WhatToJudge(campaign=2, rings=[rings]))
    assert (status, found["violations"]) == (0, [])
    with pytest.raises(MisusedError, match="expected a campaign of this log, found 3"):
        await said.json(WhatToJudge(campaign=3, rings=[rings]))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (WhatToJudge(at=["0@6"]), "expected at most 5, the log's end"),
        (WhatToJudge(at=["9@1"]), "expected one of"),
        (WhatToJudge(at=["nowhere"]), "expected partition@position"),
        (WhatToJudge(at=["campaign.events/0@1"]), "expected partition@position"),
        (WhatToJudge(rings=[Path("no-such-file")]), "No such file"),
    ],
)
async def test_what_does_not_fit_is_one_sentence(
    tmp_path: Path, said: Said, asked: WhatToJudge, says: str
) -> None:
    await (await _log(tmp_path, WELL)).close()
    with pytest.raises(MisusedError, match=says):
        await said.json(asked)


async def test_a_file_that_is_no_ring_log_is_named_with_its_line(
    tmp_path: Path, said: Said
) -> None:
    await (await _log(tmp_path, WELL)).close()
    (rings := tmp_path / "rings.jsonl").write_bytes(_line() + b'{"id": 1}\n')
    with pytest.raises(MisusedError, match=r"rings.jsonl:2: expected a ring"):
        await said.json(WhatToJudge(rings=[rings]))


async def test_an_export_has_the_digests_and_the_violations_of_its_log(
    tmp_path: Path, said: Said
) -> None:
    log = await _log(tmp_path, [*WELL[:2], PAUSED, CALL])
    exported = await written(log, tmp_path / "export.jsonl")
    await log.close()
    _, found = await said.json()
    assert (await said.json(exported=exported)) == (1, found)


@pytest.mark.kafka
async def test_on_kafka_the_same_records_have_the_same_digest(
    tmp_path: Path, said: Said, kafka_servers: str, namespace: str
) -> None:
    records = ToldLog().tell([*WELL[:2], PAUSED, CALL]).records
    await (await _log(tmp_path, records)).close()
    _, embedded = await said.json()
    async with on_kafka(kafka_servers, namespace, 1) as log:
        for record in records:
            await log.append(FIRST, record, 1)
        await followed(log, FIRST, 0, 4)
        there = ProcessSettings(
            data_dir=tmp_path,
            kafka_servers=kafka_servers,
            kafka_namespace=namespace,
            partitions=1,
        )
        assert await said.json(settings=there) == (1, embedded)
