"""A verb loads what it needs, and no more: held by the names of modules, for every light verb."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from campaigns.sqlite.file import prepare
from dialgate.__main__ import cli
from dialgate.verb_group import VERBS

LOADED = """
import sys
from dialgate.__main__ import main
try:
    main()
except SystemExit as end:
    print(*sys.modules, sep=" ", file=sys.stderr)
    raise
"""
# What serves, draws, sends, signs or analyses: 20 ms to 250 ms of each start.
HEAVY = frozenset({
    "aiokafka", "cryptography", "fastapi", "httpx", "jinja2", "phonenumbers", "prometheus_client",
    "pyarrow", "rich", "sqlalchemy", "starlette", "structlog", "uvicorn", "websockets",
})  # fmt: skip
SETTINGS = frozenset({"asyncio", "pydantic", "pydantic_settings", "campaigns.domain"})
READING = ("log --json", "verify", "export -", "why 1/1")


def loaded(arguments: str, folder: Path) -> set[str]:
    """Return the modules that a process has loaded at the end of a verb."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments.split()],
        env={"DIALGATE_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    *_, last = done.stderr.splitlines()
    assert "campaigns.process.errors" in last, done.stderr
    return set(last.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path / "log.db", 1, read_only=False)
    return tmp_path


@pytest.mark.parametrize("arguments", READING)
def test_a_verb_that_reads_the_log_loads_nothing_heavy(arguments: str, folder: Path) -> None:
    found = loaded(arguments, folder)
    assert found & HEAVY == set()
    assert "campaigns.sqlite.sqlite_log" in found, "it has opened the log"
    assert len(found & {verb.module for verb in VERBS.values()}) <= 2, "of the others nearly none"


def test_a_campaigns_state_loads_only_the_database_of_the_views(folder: Path) -> None:
    assert loaded("state 1", folder) & HEAVY <= {"sqlalchemy"}


def test_the_list_of_verbs_loads_neither_a_verb_nor_settings(folder: Path) -> None:
    found = loaded("--help", folder)
    assert found & (HEAVY | SETTINGS) == set()
    assert found & {verb.module for verb in VERBS.values()} == set()


def test_a_part_that_serves_does_load_what_serves(folder: Path) -> None:
    """The lists above are of names that do occur: this start fails, after it has loaded them."""
    (folder / "log.db").write_text("no log")
    assert {"fastapi", "starlette", "structlog", "uvicorn"} <= loaded("projector", folder)


@pytest.mark.parametrize("columns", [60, 100, 400])
def test_the_list_shows_what_each_verb_says_of_itself(columns: int) -> None:
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    runner = CliRunner(env={"COLUMNS": str(columns), "TERMINAL_WIDTH": str(columns)})
    listed = runner.invoke(cli, ["--help"]).output.partition("Commands:\n")[2]
    for name in group.commands:
        found = re.search(rf"^  {name}  +(.*)$", listed, re.MULTILINE)
        assert found, name
        said = group.commands[name].get_short_help_str(1_000)
        assert said.startswith(found[1].removesuffix("...")), name
    shown = re.findall(r"^  ([a-z-]+)  ", listed, re.MULTILINE)
    assert shown == list(group.commands)


@pytest.mark.parametrize("name", VERBS)
def test_the_table_has_the_first_sentence_of_each_verb(name: str) -> None:
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    assert group.commands[name].get_short_help_str(1_000) == VERBS[name].summary


def test_a_misspelt_verb_is_answered_with_the_nearest(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["timelin"])
    assert done.exit_code == 2
    assert "Did you mean 'timeline'?" in done.output
