"""A seal finds whatever is done to a log, and says where first, on each kind of log."""

import fcntl
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from campaigns.audit.seal import seal_check
from campaigns.audit.seal.seal_check import SealDifference
from campaigns.audit.seal.seal_file import Sealing, appended, read_seals
from campaigns.audit.seal.seal_keys import make_key, private_key, public_key
from campaigns.domain.facts import RecordSkipped
from campaigns.log.installation_log import whole
from campaigns.process.errors import SealUnreadableError
from campaigns.records.installation import digest_of
from campaigns.records.topics import INSTALLATION
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from tests.support.exported import imported, opened, written
from tests.support.mixed_log import PARTITIONS, mixed_log
from tests.support.seals import (
    FIRST,
    RECORDS,
    differences,
    key,
    log_of,
    raws,
    sealed,
    seals_of,
    whole_sealed,
)

Raws = tuple[bytes, ...]


def flipped(raw: bytes) -> bytes:
    return raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:]


# At a place n (from 1): what is done to the records, and what is said of it.
TAMPERINGS: dict[str, tuple[Callable[[Raws, int], Raws], str]] = {
    "flipped": (lambda rs, n: (*rs[: n - 1], flipped(rs[n - 1]), *rs[n:]), "altered or replaced"),
    "replaced": (lambda rs, n: (*rs[: n - 1], b"another", *rs[n:]), "altered or replaced"),
    "dropped": (lambda rs, n: (*rs[: n - 1], *rs[n:]), "dropped"),
    "repeated": (lambda rs, n: (*rs[: n - 1], rs[n - 2], *rs[n - 1 :]), "repeated: the one before"),
    "put in": (lambda rs, n: (*rs[: n - 1], b"more", *rs[n - 1 :]), "was put in"),
    "moved": (
        lambda rs, n: (*rs[: n - 1], rs[n + 4], *rs[n : n + 4], rs[n - 1], *rs[n + 5 :]),
        "moved: what was sealed here stands at",
    ),
    "truncated": (lambda rs, n: rs[: n - 1], "the log ends at"),
}  # fmt: skip
PLACES = (2, 100, 1_024, 1_025)  # A foreign record and the ends of blocks among them.


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_each_kind_of_tampering_is_found_where_it_begins(kind: str, place: int) -> None:
    tamper, said = TAMPERINGS[kind]
    lines = await whole_sealed()
    [(at, what)] = await differences(log_of(tamper(raws(), place)), lines)
    assert at == f"{FIRST}@{place}"
    assert said in what


async def test_what_is_as_it_was_differs_nowhere_and_may_have_grown() -> None:
    lines = await whole_sealed()
    assert await differences(log_of(raws()), lines) == []
    assert await differences(log_of((*raws(), b"more")), lines) == []


async def test_seals_are_chained_and_each_adds_what_is_new() -> None:
    lines = list[bytes]()
    for count in (0, 1, 1_000, 1_024, 1_500, 2_048, RECORDS, RECORDS):
        lines = await sealed(log_of(raws()[:count]), lines)
    seals = seals_of(lines)
    assert seals.last is not None
    assert seals.last.head.number == len(lines)
    assert not seals.inexact
    assert len(lines[-1]) < 1_500, "nothing is new"
    assert await differences(log_of(raws()), lines) == []
    for place in PLACES:
        altered = TAMPERINGS["flipped"][0](raws(), place)
        assert [at for at, _ in await differences(log_of(altered), lines)] == [f"{FIRST}@{place}"]


async def test_a_log_that_was_altered_is_not_sealed_again() -> None:
    lines = await whole_sealed()
    log = log_of(TAMPERINGS["flipped"][0](raws(), 7))
    found = await Sealing(log, await whole(log), seals_of(lines), key()).seal(NOON)
    assert isinstance(found, SealDifference)
    assert found.at == f"{FIRST}@7"


async def test_a_difference_that_no_mark_shows_is_found_by_its_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Marks are three bytes: they only say where; what proves is the root of the block."""
    lines = await whole_sealed()
    monkeypatch.setattr(seal_check, "_mark", lambda *_: b"")
    for place, first, last in ((7, 1, 1_024), (1_030, 1_025, 2_048), (2_400, 2_049, RECORDS)):
        altered = log_of(TAMPERINGS["flipped"][0](raws(), place))
        [(at, what)] = await differences(altered, lines)
        assert at == f"{FIRST}@{first}"
        assert f"from {first} to {last}" in what


async def test_the_seals_themselves_cannot_be_altered() -> None:
    lines = await sealed(log_of(raws()[:10]))
    lines = await sealed(log_of(raws()[:20]), lines)
    lines = await sealed(log_of(raws()[:30]), lines)
    number = (
        lines[1].replace(b'"number":2', b'"number":1').replace(b'"previous":"', b'"previous":"')
    )
    for altered, said in (
        ([lines[0], flipped(lines[1]), lines[2]], "signature|expected a seal"),
        ([lines[0], number, lines[2]], "signature"),
        ([lines[0], lines[2]], "expected seal 2"),
        (lines[1:], "expected seal 1"),
        ([lines[1], lines[0]], "expected seal 1"),
        ([lines[0], lines[0]], "expected seal 2"),
        ([lines[0], lines[1][:-9]], "half of one"),
        ([b"{}\n"], "expected a seal"),
    ):
        with pytest.raises(SealUnreadableError, match=said):
            seals_of(altered)


async def test_a_decision_to_skip_a_sealed_record_is_no_alteration() -> None:
    """What counts has changed, by a decision that the log holds; no record has."""
    log = log_of(raws()[:10])
    lines = await sealed(log)
    [last] = await log.read(FIRST, 9, 1)
    decided = RecordSkipped(
        topic=FIRST.topic, partition=0, position=10, digest=digest_of(last), reason="a test",
        skipped_at=NOON,
    )  # fmt: skip
    await log.append(INSTALLATION, offered(decided), 1)
    assert (await whole(log)).skipped
    assert await differences(log, lines) == []


async def test_a_detail_that_was_altered_hides_nothing() -> None:
    """It is not signed: a forger who makes it fit the altered log is found by the signed root."""
    altered = TAMPERINGS["flipped"][0](raws(), 7)
    [line], [forged] = await sealed(log_of(raws())), await sealed(log_of(altered))
    (ours, mark, _), (_, _, theirs) = line.partition(b',"detail"'), forged.partition(b',"detail"')
    lines = [ours + mark + theirs]
    assert seals_of(lines).inexact
    [(at, what)] = await differences(log_of(altered), lines)
    assert at == f"{FIRST}@{RECORDS}"
    assert "the seal's own detail was altered" in what
    assert await differences(log_of(raws()), lines) == []


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update records set record = x'7b7d' where number = 1 and position = 3"
         " and topic = 'campaign.records'", "campaign.records/1@3"),
        ("delete from records where number = 1 and position = 3 and topic = 'campaign.records'",
         "campaign.records/1@3"),
        ("delete from records where number = 2 and position >= 4 and topic = 'campaign.records'",
         "campaign.records/2@4"),
        ("update records set record = x'00' where topic = 'organization.records'",
         "organization.records/0@1"),
        ("update records set record = cast(replace(record, 'later', 'older') as blob)"
         " where topic = 'installation.records' and position = 2", "installation.records/0@2"),
    ],
)  # fmt: skip
async def test_the_file_of_the_embedded_log_and_its_exports_are_found_altered(
    statement: str, place: str, tmp_path: Path
) -> None:
    log = await mixed_log()
    lines = await sealed(log)
    path = tmp_path / "log.db"
    async with imported(await written(log, tmp_path / "export"), path, PARTITIONS) as copy:
        assert await differences(copy, lines) == [], "a copy has the same bytes"
    async with opened(tmp_path / "export") as export:
        assert await differences(export, lines) == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(statement).rowcount >= 1
        db.commit()
    altered = SqliteLog(path, PARTITIONS, read_only=True)
    await altered.open()
    try:
        assert [at for at, _ in await differences(altered, lines)] == [place]
        if not statement.startswith("delete from records where number = 1"):  # None has a gap.
            async with opened(await written(altered, tmp_path / "forged")) as forged:
                assert [at for at, _ in await differences(forged, lines)] == [place]
    finally:
        await altered.close()


async def test_a_file_of_seals_is_appended_to_and_never_half(tmp_path: Path) -> None:
    path, first = tmp_path / "seals", await sealed(log_of(raws()[:10]))
    with appended(path) as file:
        assert file.empty
        file.append(first[0])
        with pytest.raises(SealUnreadableError, match="another process"), appended(path):
            raise AssertionError("it is refused first")
    path.write_bytes(path.read_bytes() + b'{"seal":{"dial' * 500)  # As a kill leaves it.
    with pytest.raises(SealUnreadableError, match="half of one"):
        read_seals(path, key().public_key())
    with appended(path) as file:
        file.append((await sealed(log_of(raws()[:20]), first))[1])
    last = read_seals(path, key().public_key()).last
    assert last is not None
    assert last.head.number == 2
    assert path.stat().st_mode & 0o077 == 0


def test_where_nothing_was_sealed_no_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "seals"
    with pytest.raises(LookupError), appended(path):
        raise LookupError("the log could not be read")
    assert not path.exists()
    path.write_bytes(b"{half of")
    with appended(path) as file:
        assert file.empty
    assert not path.exists(), "half a first line is no seal"


def test_a_file_that_was_removed_between_opening_and_locking_is_not_appended_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, removed = tmp_path / "seals", False
    flock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        nonlocal removed
        if not removed:
            path.unlink()
            removed = True
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with appended(path) as file:
        file.append(b"a seal\n")
    assert removed
    assert path.read_bytes() == b"a seal\n"


def test_keys_are_files_that_openssl_reads(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = make_key(path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    signature = private_key(path).sign(b"some")
    public_key(public).verify(signature, b"some")
    with pytest.raises(FileExistsError):
        make_key(path)
    for wrong in (public_key, private_key):
        with pytest.raises(SealUnreadableError, match="Ed25519 key in PEM"):
            wrong(public if wrong is private_key else path)


async def test_another_key_has_not_signed(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    path = tmp_path / "seals"
    path.write_bytes(b"".join(await sealed(log_of(raws()[:10]))))
    with pytest.raises(SealUnreadableError, match="not of this key"):
        read_seals(path, public_key(tmp_path / "key.pub"))


async def test_a_seal_of_a_later_format_is_refused() -> None:
    [line] = await sealed(log_of(raws()[:10]))
    with pytest.raises(SealUnreadableError, match="a later version made it"):
        seals_of([line.replace(b'"dialgate_seal":1', b'"dialgate_seal":2')])
    assert msgspec.json.decode(line)["seal"]["number"] == 1
