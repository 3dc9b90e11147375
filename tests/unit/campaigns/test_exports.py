"""An export has every record byte for byte, is read as its log is, and is refused if altered."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from campaigns.audit.rulings import Ruled, RulingKind
from campaigns.process.errors import ExportUnreadableError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from tests.support.exported import opened, ruled, written
from tests.support.mixed_log import FOREIGN, mixed_log


def shown(
    found: dict[Partition, list[Ruled]],
) -> list[tuple[str, bytes | None, RulingKind, str | None]]:
    return [
        (one.recorded.where, one.recorded.raw, one.ruling, one.why)
        for some in found.values()
        for one in some
    ]


async def test_an_export_is_read_as_its_log_is_and_exports_the_same(tmp_path: Path) -> None:
    log = await mixed_log()
    first = await written(log, tmp_path / "first")
    async with opened(first) as export:
        there = await ruled(export)
        assert shown(there) == shown(await ruled(log))
        assert {one.ruling for some in there.values() for one in some} == set(RulingKind)
        second = await written(export, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    assert all(raw in {one[1] for one in shown(there)} for raw in FOREIGN)


async def test_any_stretch_of_an_export_is_what_the_log_has(tmp_path: Path) -> None:
    log, where = await mixed_log(), Partition(CAMPAIGN_RECORDS, 1)
    end = (await log.ends([where]))[where]
    async with opened(await written(log, tmp_path / "file")) as export:
        for after in range(end, -1, -1):
            for limit in (1, 3, 100):
                found = [(one.position, one.raw) for one in await export.read(where, after, limit)]
                meant = [(one.position, one.raw) for one in await log.read(where, after, limit)]
                assert found == meant


async def test_several_readers_of_an_export_do_not_disturb_one_another(tmp_path: Path) -> None:
    log, partitions = (
        await mixed_log(),
        [Partition(CAMPAIGN_RECORDS, number) for number in range(3)],
    )
    places = [(where, after) for after in range(5) for where in partitions] * 20
    async with opened(await written(log, tmp_path / "file")) as export:
        found = await asyncio.gather(*(export.read(*place, 1) for place in places))
    meant = [await log.read(*place, 1) for place in places]
    assert [[one.raw for one in some] for some in found] == [
        [one.raw for one in some] for some in meant
    ]


async def test_records_stand_in_an_export_as_json_where_they_are_json(tmp_path: Path) -> None:
    lines = (await written(await mixed_log(), tmp_path / "file")).read_bytes().splitlines()
    found = [orjson.loads(line) for line in lines]
    assert found[0]["dialgate_export"] == 1
    assert any(line.get("record", {}).get("facts") for line in found)
    assert sum("bytes" in line for line in found) == len(FOREIGN) + 1  # The skipped one.


async def test_an_export_of_one_campaign_has_what_counts_of_it_alone(tmp_path: Path) -> None:
    log = await mixed_log()
    async with opened(await written(log, tmp_path / "whole")) as whole_one:
        digests = whole_one.campaigns
    async with opened(await written(log, tmp_path / "file", campaign=4)) as export:
        found = await ruled(export)
        of_campaigns = [
            one for at, some in found.items() if at.topic == CAMPAIGN_RECORDS for one in some
        ]
        assert all(one.accepted for some in found.values() for one in some)
        assert len(of_campaigns) == 4 + 2 + 1, "with the chunks of its list"
        assert export.campaigns == {4: digests[4]}
    async with opened(await written(log, tmp_path / "other", campaign=13)) as export:
        assert not export.campaigns, "alone, what lost to another campaign would count"


def _cut_line(lines: list[bytes]) -> list[bytes]:
    return lines[:5] + lines[6:]


TAMPERED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "flipped": (lambda ls: [*ls[:4], ls[4].replace(b"paused", b"pauseD"), *ls[5:]], "altered"),
    "dropped": (_cut_line, "altered"),
    "moved": (lambda ls: [*ls[:4], ls[5], ls[4], *ls[6:]], "altered"),
    "repeated": (lambda ls: [*ls[:5], ls[4], *ls[5:]], "altered"),
    "truncated": (lambda ls: ls[:-1], "truncated"),
    "truncated in a line": (lambda ls: [*ls[:-3], ls[-3][:-9]], "truncated"),
    "only the manifest": (lambda ls: ls[:1], "truncated"),
    "more": (lambda ls: [*ls, b"{}\n"], "altered"),
    "of a later format": (
        lambda ls: [ls[0].replace(b'export":1', b'export":2'), *ls[1:]], "a later version wrote it",
    ),
    "of a later level": (
        lambda ls: [ls[0].replace(b'level":4', b'level":99'), *ls[1:]], "this build is too old",
    ),
    "no export": (lambda _: [b"PK\x03\x04"], "another kind of file"),
    "empty": (lambda _: [], "another kind of file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERED)
async def test_an_altered_export_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    tamper, sentence = TAMPERED[kind]
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(ExportUnreadableError, match=sentence):
        async with opened(path):
            pass


async def test_an_export_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    everything = path.read_bytes()
    for size in range(0, len(everything) - 1, 97):
        path.write_bytes(everything[:size])
        with pytest.raises(ExportUnreadableError):
            async with opened(path):
                pass


async def test_a_forger_who_closes_an_export_anew_is_found_by_its_summary(tmp_path: Path) -> None:
    path = await written(await mixed_log(), tmp_path / "file")
    lines = path.read_bytes().splitlines(keepends=True)
    last = next(n for n, line in enumerate(lines) if line.startswith(b'{"campaign":'))
    lines = [*lines[: last - 1], *lines[last:-1]]
    digest = sha256(b"".join(lines)).hexdigest()
    path.write_bytes(b"".join(lines) + b'{"end":"sha256:' + digest.encode() + b'"}\n')
    with pytest.raises(ExportUnreadableError, match="records of"):
        async with opened(path):
            pass
