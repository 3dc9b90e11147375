"""`dialgate seal`, `proof` and `verify` as they are run: exit codes, one sentence for misuse."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from dialgate.__main__ import cli
from tests.support.exported import written
from tests.support.journal import Journal

NUMBER = "+15550000002"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the log of a campaign, an export of it, a key and a seal."""
    told = Journal()
    told.create(contacts=3)
    told.start()
    call = told.ask(2)
    told.ring(call, 2)
    told.end(call, 2)
    folder = tmp_path_factory.mktemp("made")
    asyncio.run(written(told.log, folder / "export"))
    asyncio.run(written(told.log, folder / "one", campaign=1))
    with pytest.MonkeyPatch.context() as patch:
        go(folder, patch)
        for command in (("import", "export"), ("seal", "--new-key", "key"), SEAL):
            assert run(*command).exit_code == 0
    return folder


def go(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Go to a directory whose log is in `data`."""
    patch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("DIALGATE_")]:
        patch.delenv(name)
    patch.setenv("DIALGATE_DATA_DIR", "data")


@pytest.fixture
def there(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that directory, and go there."""
    shutil.copytree(made, tmp_path / "there")
    go(tmp_path / "there", monkeypatch)
    return tmp_path / "there"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def shape(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(run(*arguments, "--json").stdout)
    return found


SEAL = ("seal", "--key", "key", "--out", "seals")
VERIFY = ("verify", "--public-key", "key.pub", "--seal", "seals")


def test_a_log_is_sealed_verified_and_proven(there: Path) -> None:
    sealed = run(*SEAL)
    assert sealed.exit_code == 0
    assert "proves: " in sealed.stdout
    assert "does not prove: " in sealed.stdout
    assert shape(*SEAL)["seal"] == 3
    assert shape(*VERIFY)["ok"]
    assert shape(*VERIFY, "--from", "export")["copy"], "an export of the log before it was imported"
    assert run("proof", "--number", NUMBER, "--seal", "seals", "--out", "proof").exit_code == 0
    (there / "data" / "log.db").unlink()
    proven = shape("verify", "--public-key", "key.pub", "--proof", "proof")
    assert proven["ok"]
    assert proven["contacts"] == ["1/2"]
    assert len(proven["records"]) == 1 + 3


def test_a_log_that_was_altered_exits_with_1_and_says_where(there: Path) -> None:
    with closing(sqlite3.connect(there / "data" / "log.db")) as db:
        db.execute("update records set record = x'00' where position = 4")
        db.commit()
    found = run(*VERIFY)
    assert (found.exit_code, found.stdout.splitlines()[0]) == (
        1, "campaign.records/0@4: the record was altered or replaced",
    )  # fmt: skip
    assert shape(*VERIFY)["violations"][0]["at"] == "campaign.records/0@4"
    again = run(*SEAL)
    assert again.exit_code == 1
    assert "nothing was sealed: campaign.records/0@4" in again.stderr
    assert len((there / "seals").read_bytes().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("seal",), "expected --key FILE and --out FILE"),
        (("seal", "--new-key", "key", "--out", "x"), "expected no other option"),
        (("seal", "--key", "export", "--out", "x"), "private Ed25519 key in PEM"),
        (("seal", "--key", "key", "--out", "export"), "expected a seal"),
        (("seal", "--key", "none", "--out", "x"), "No such file"),
        (("seal", "--key", "key", "--out", "x", "--from", "one"), "cannot be sealed"),
        (
            ("verify", "--public-key", "key.pub", "--proof", "proof", "--from", "export"),
            "--proof is checked without a log: expected no --from",
        ),
        (("verify", "--public-key", "key.pub"), "with --seal FILE or with --proof FILE"),
        (("verify", "--seal", "export", "--public-key", "key.pub"), "expected a seal"),
        (("verify", "--proof", "export", "--public-key", "key.pub"), "expected a proof bundle"),
        (("verify", "--seal", "x", "--at-rest"), "expected no other option"),
        (("proof", "--seal", "seals", "--out", "x"), "expected --number or --contact"),
        (("proof", "--contact", "4", "--seal", "seals", "--out", "x"), "such as 4/17"),
        (("proof", "--number", "+1", "--seal", "seals", "--out", "x"), "found none"),
        (("import", "one"), "found one with records"),
        (("export",), "expected a FILE, or --parquet DIR"),
        (("export", "x", "--parquet", "y"), "expected a FILE, or --parquet DIR"),
        (("export", "--parquet", "data"), "directory that does not exist yet"),
        (("export", "x", "--from", "key"), "another kind of file"),
        (("replay", "--from", "none"), "No such file"),
    ],
)
def test_misuse_exits_with_2_and_one_sentence(
    there: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = {path.name for path in there.iterdir()}
    found = run(*arguments)
    assert (found.exit_code, said in found.stderr) == (2, True), found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert {path.name for path in there.iterdir()} - {"x"} == before
