"""A verb that is killed at any point has left nothing half written under its final name.

Each is killed just before steps that touch a file, and between records; then it is run once more.
`make soak` kills at every point (KILL_POINTS=0).
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from campaigns.process.errors import TopicMisfitError
from dialgate.__main__ import cli
from tests.integration.test_projector import ONE, serving
from tests.integration.test_state import stored
from tests.integration.test_time_travel import told
from tests.support.exported import written
from tests.support.on_kafka import opened

POINTS = int(os.environ.get("KILL_POINTS", "2"))  # Of each verb.
ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a verb to its end on a data directory."""
    environment["DIALGATE_DATA_DIR"] = str(folder)
    found = CliRunner().invoke(cli, list(arguments), env=environment)
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory with a log, views, an export, a key and two seals."""
    folder = tmp_path_factory.mktemp("made")

    async def fill() -> None:
        log = await stored(told(11), folder)
        async with serving(log, folder) as client:
            assert (await client.get(ONE)).status_code == 200
        await log.close()

    asyncio.run(fill())
    for words in (
        ("seal", "--new-key", f"{folder}/seal.key"),
        ("seal", "--key", f"{folder}/seal.key", "--out", f"{folder}/seals"),
        ("seal", "--key", f"{folder}/seal.key", "--out", f"{folder}/seals"),
        ("export", f"{folder}/exported"),
    ):
        assert run(folder, *words)[0] == 0, words
    return folder


class Killed(NamedTuple):
    """A verb that was killed, and what it did when it was run once more."""

    left: Path  # As it was after the kill.
    copy: Path  # After the second run.
    again: int | None  # Its exit code. None: it was not run.
    said: str


def killed(
    made: Path, folder: Path, *arguments: str, name: str = "copy", **environment: str
) -> Iterator[Killed]:
    """Kill a verb at some points, each in a copy of `made`."""
    base = folder / name
    subprocess.run(["cp", "-a", str(made), str(base)], check=True)
    if arguments[0] == "import":
        for one in base.glob("*.db*"):
            one.unlink()
    command = [sys.executable, "-m", "tests.support.kill_points", str(base), str(POINTS)]
    found = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert found.returncode == 0, found
    lines = found.stdout.splitlines()
    assert lines, "it was killed somewhere"
    for line in lines:
        one = json.loads(line)
        yield Killed(Path(one["left"]), Path(one["copy"]), one["again"], one["said"])


def is_export(folder: Path, name: str) -> bool:
    return run(folder, "verify", "--from", f"{folder}/{name}")[0] in (0, 1)


def sealed(folder: Path) -> bool:
    keys = ("--seal", f"{folder}/seals", "--public-key", f"{folder}/seal.key.pub")
    return run(folder, "verify", *keys)[0] == 0


def proven(folder: Path, name: str) -> bool:
    return run(
        folder, "verify", "--proof", f"{folder}/{name}", "--public-key", f"{folder}/seal.key.pub"
    )[0] in (0, 1)


def is_parquet(folder: Path, name: str) -> bool:
    import pyarrow.parquet

    tables = sorted((folder / name).glob("*.parquet"))
    return len(tables) > 2 and all(pyarrow.parquet.read_table(one) is not None for one in tables)


NUMBER = "+15550000001"
VERBS: dict[str, tuple[tuple[str, ...], str, Callable[[Path, str], bool]]] = {
    "export": (("export", "{}/new"), "new", is_export),
    "parquet": (("export", "--parquet", "{}/new"), "new", is_parquet),
    "proof": (
        ("proof", "--number", NUMBER, "--seal", "{}/seals", "--out", "{}/new"), "new", proven,
    ),
    "import": (
        ("import", "{}/exported"), "log.db", lambda at, _: run(at, "log", "--campaign", "1")[0] == 0
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_killed_verb_makes_is_there_whole_or_not_at_all(
    verb: str, made: Path, tmp_path: Path
) -> None:
    arguments, name, whole = VERBS[verb]
    for one in killed(made, tmp_path, *arguments):
        if (one.left / name).exists():
            assert whole(one.left, name), one
            assert (one.again, len(one.said.splitlines())) == (2, 1), one
        else:
            assert one.again == 0, one
        assert whole(one.copy, name), one


def test_a_killed_seal_is_appended_whole_or_not_at_all(made: Path, tmp_path: Path) -> None:
    for one in killed(made, tmp_path, "seal", "--key", "{}/seal.key", "--out", "{}/seals"):
        assert one.again == 0, one
        assert sealed(one.copy), one
        lines = (one.copy / "seals").read_bytes().splitlines()
        assert len(lines) - len((one.left / "seals").read_bytes().splitlines()) in (0, 1)


def test_a_killed_rebuild_leaves_the_views_in_service(made: Path, tmp_path: Path) -> None:
    rows = run(made, "state", "1", "--contacts")
    for one in killed(made, tmp_path, "rebuild"):
        assert run(one.left, "state", "1", "--contacts") == rows, one
        assert one.again == 0, one


@pytest.mark.kafka
def test_a_killed_import_into_kafka_is_marked_and_read_by_nobody_and_goes_on(
    made: Path, tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    other = tmp_path / "other"
    asyncio.run(written_elsewhere(other))
    there = {"DIALGATE_KAFKA_SERVERS": kafka_servers, "DIALGATE_PARTITIONS": "2"}
    some = killed(made, tmp_path, "import", "{}/exported", name=namespace[:-1], ONCE="yes", **there)
    marked = written_to = 0
    for one in some:
        there["DIALGATE_KAFKA_NAMESPACE"] = f"{one.copy.name}."
        for words in (("log",), ("verify",), ("state", "1"), ("export", f"{tmp_path}/no")):
            code, said = run(one.copy, *words, **there)
            assert code == 2, (one, words, said)
            assert len(said.splitlines()) == 1, said
        if "found an import that was interrupted: run `dialgate import` again" in said:
            marked += 1
            with pytest.raises(TopicMisfitError, match="found an import that was interrupted"):
                asyncio.run(started(kafka_servers, one.copy.name))
            code, said = run(one.copy, "import", str(other), **there)
            if not code:
                continue  # Nothing had been written yet.
            written_to += 1
            assert (code, len(said.splitlines())) == (2, 1), said
            assert "delete the topics, or import the export that was begun" in said
        assert run(one.copy, "import", f"{one.copy}/exported", **there)[0] == 0, one
        assert run(one.copy, "state", "1", **there)[0] == 0
    assert marked
    assert written_to, "some were killed in the middle"


async def started(servers: str, name: str) -> None:
    async with opened(servers, f"{name}.", 2):
        raise AssertionError("no part starts on half a log")


async def written_elsewhere(path: Path) -> None:
    await written(told(12).log, path)
