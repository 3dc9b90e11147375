"""What a verb cannot read is said in one sentence, exit code 2, and nothing is half written."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import orjson
import pytest
from typer.testing import CliRunner

from dialgate.__main__ import cli
from dialgate.verb_group import VERBS
from tests.support.journal import Journal
from tests.support.log_file import write_log

NOBODY = 65_534  # Whom a test that runs as root becomes: root may read everything.
OUT = "{out}"  # The folder into which a verb may write.
KEYS = "{keys}"  # Where a key pair and seals are.
# Each verb that reads a log or an export: its arguments; what names a campaign has C there.
READERS: dict[str, tuple[str, ...]] = {
    "log": ("--json",),
    "replay": (),
    "timeline": ("C", "--html", f"{OUT}/page.html"),
    "what-if": ("C",),
    "export": (f"{OUT}/export.jsonl",),
    "replay-events": ("--to", f"{OUT}/events"),
    "state": ("C", "--contacts"),
    "verify": (),
    "why": ("C", "1"),
    "seal": ("--key", f"{KEYS}/key.pem", "--out", f"{OUT}/seals"),
    "proof": ("--seal", f"{KEYS}/seals", "--number", "+15550000001", "--out", f"{OUT}/proof"),
}
ONLY_LOGS = {"compare": ("{other}",)}  # These read no export.
WITH_CAMPAIGN = [name for name, words in READERS.items() if "C" in words]
# Those that read neither the log nor an export to show it: they change something.
CHANGES = {"rebuild", "import", "erase", "adopt", "retire", "secrets", "keys"}


class Bench:
    """A log with its export, a key with its seals, and a folder to write into."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.keys, self.out = folder / "keys", folder / "out"
        for one in (self.data, self.keys, self.out):
            one.mkdir()
        journal = Journal(1)
        journal.create(1)
        journal.start(1)
        journal.call(1)
        write_log(journal, self.data)
        self.ran("export", str(folder / "whole.jsonl"))
        self.ran("seal", "--new-key", str(self.keys / "key.pem"))
        self.ran("seal", "--key", str(self.keys / "key.pem"), "--out", str(self.keys / "seals"))

    def ran(self, verb: str, *words: str) -> tuple[int, str, str]:
        """Run a verb; return its exit code, what it printed and what it complained."""
        given = {"DIALGATE_DATA_DIR": str(self.data), "COLUMNS": "200"}
        done = CliRunner().invoke(cli, [verb, *words], env=given)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    def words(self, verb: str, campaign: int = 1) -> list[str]:
        places = {OUT: self.out, KEYS: self.keys, "{other}": self.folder / "dialgate"}
        words = list((READERS | ONLY_LOGS)[verb])
        for name, place in places.items():
            words = [word.replace(name, str(place)) for word in words]
        return [str(campaign) if word == "C" else word for word in words]

    def refused(self, verb: str, *words: str) -> str:
        """Run a verb that cannot read; return the sentence that it says."""
        status, printed, complained = self.ran(verb, *words)
        assert (status, printed) == (2, ""), (printed, complained)
        (line,) = complained.splitlines()
        assert line.startswith("dialgate: "), line
        assert not list(self.out.iterdir()), "nothing is half written"
        return line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("unreadable"))


@pytest.fixture
def bench(made: Bench) -> Bench:
    for left in made.out.iterdir():
        left.unlink()
    return made


def closed(lines: list[bytes]) -> bytes:
    """Return lines with a last one that fits them."""
    body = b"".join(lines[:-1])
    return body + b'{"end":"sha256:%b"}\n' % sha256(body).hexdigest().encode()


def of_format(lines: list[bytes]) -> bytes:
    return closed(
        [orjson.dumps(orjson.loads(lines[0]) | {"dialgate_export": 99}) + b"\n", *lines[1:]]
    )


def of_level(lines: list[bytes]) -> bytes:
    return closed([orjson.dumps(orjson.loads(lines[0]) | {"level": 99}) + b"\n", *lines[1:]])


EXPORTS: dict[str, tuple[Callable[[list[bytes]], bytes], str]] = {
    "truncated": (lambda lines: b"".join(lines)[:-40], "bad.jsonl: line "),
    "without its end": (lambda lines: b"".join(lines[:-1]), "expected"),
    "altered": (
        lambda lines: b"".join(lines).replace(b'"record":{', b'"record":{ ', 1),
        "expected",
    ),
    "another format's": (of_format, "found format 99: a later version wrote it"),
    "a later level's": (of_level, "found 99: this build is too old"),
    "empty": (lambda lines: b"", "expected an export of Dialgate"),
    "no export": (lambda lines: b"\x89PNG\n", "expected an export of Dialgate"),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_bad_export_is_refused_by_every_verb(bench: Bench, kind: str, tmp_path: Path) -> None:
    spoil, says = EXPORTS[kind]
    lines = (bench.folder / "whole.jsonl").read_bytes().splitlines(keepends=True)
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(spoil(lines))
    for verb in READERS:
        assert says in bench.refused(verb, *bench.words(verb), "--from", str(bad)), verb


def test_an_export_that_is_not_there_is_said_by_every_verb(bench: Bench, tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        for verb in READERS:
            assert str(path) in bench.refused(verb, *bench.words(verb), "--from", str(path)), verb


@pytest.mark.parametrize("kind", [*EXPORTS, "not there"])
def test_a_bad_export_is_not_imported(bench: Bench, kind: str, tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.jsonl", tmp_path / "empty"
    if kind != "not there":
        lines = (bench.folder / "whole.jsonl").read_bytes().splitlines(keepends=True)
        bad.write_bytes(EXPORTS[kind][0](lines))
    done = CliRunner().invoke(cli, ["import", str(bad)], env={"DIALGATE_DATA_DIR": str(empty)})
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("dialgate: ")
    assert not (empty / "log.db").exists()


def test_what_is_whole_is_read_by_every_verb(bench: Bench) -> None:
    """The arguments above are good: only the log or the export keeps a verb from its work."""
    for exported in ((), ("--from", str(bench.folder / "whole.jsonl"))):
        for left in bench.out.iterdir():
            left.unlink()
        for verb in READERS:
            assert bench.ran(verb, *bench.words(verb), *exported)[0] == 0, verb


def test_every_verb_that_reads_is_in_the_table() -> None:
    assert {*READERS, *ONLY_LOGS} | CHANGES == set(VERBS)


@pytest.mark.parametrize("exported", [False, True])
def test_a_campaign_that_is_not_there_is_said_by_every_verb(bench: Bench, exported: bool) -> None:
    more = ("--from", str(bench.folder / "whole.jsonl")) if exported else ()
    for verb in WITH_CAMPAIGN:
        assert "77" in bench.refused(verb, *bench.words(verb, 77), *more), verb
    for verb in ("log", "export", "replay-events", "verify"):
        given = ("--campaign", "77", *more)
        assert "77" in bench.refused(verb, *bench.words(verb), *given), verb


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Take the right to read a file from this process."""
    before, root = stat.S_IMODE(path.stat().st_mode), os.geteuid() == 0
    path.chmod(0)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(before)


@contextmanager
def opened(bench: Bench) -> Iterator[Path]:
    """Yield copies of the log and the keys where everybody may look for them."""
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        for one in ("data", "keys"):
            copytree(bench.folder / one, folder / one)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def test_without_the_right_to_read_the_log_every_verb_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(bench) as folder:
        monkeypatch.setattr(bench, "data", folder / "data")
        monkeypatch.setattr(bench, "keys", folder / "keys")
        for verb in READERS:
            bench.ran(verb, *bench.words(verb))  # What it imports, it imports with all rights.
            for left in bench.out.iterdir():
                left.unlink()
        said, log = dict[str, tuple[int, str, str]](), folder / "data" / "log.db"
        with without_rights(log):
            for verb in READERS:
                said[verb] = bench.ran(verb, *bench.words(verb))
        for verb, (status, printed, complained) in said.items():
            assert (status, printed) == (2, ""), (verb, printed, complained)
            assert len(complained.splitlines()) == 1, (verb, complained)
            assert str(log) in complained, (verb, complained)
        assert not list(bench.out.iterdir())
