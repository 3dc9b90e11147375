"""Two builds fold one log, and what they make of it is compared. The other is this one, altered."""

import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from dialgate.__main__ import cli
from tests.integration.test_projector_publishing import history
from tests.support.log_file import write_log

# Other builds, as an environment's `dialgate` script is: each alters this one, or stands for it.
MISCOUNTS = """
from projector.projections import contacts
from campaigns.domain.contact import ContactStatus
project = contacts.project
def other(changes, campaign, fact, position):
    project(changes, campaign, fact, position)
    place = fact.campaign_id, fact.contact_id
    if place == (2, 3) and place in changes.contacts:
        from msgspec import structs
        changes.contacts[place] = structs.replace(changes.contacts[place], attempts=7)
contacts.project = other
"""
OLD = """
from dialgate.verb_group import VERBS
del VERBS["compare"]
"""
STOPS = """
from projector.advance import Views
def fold(self, recorded):
    from campaigns.process.errors import ContractError
    raise ContractError(f"{recorded.where}: another build's word")
Views.fold = fold
"""


def build(folder: Path, altered: str) -> str:
    script = folder / "dialgate-of-another-build"
    script.write_text(
        f"#!{sys.executable}\n{altered}\nfrom dialgate.__main__ import main\nmain()\n"
    )
    script.chmod(0o755)
    return str(script)


@pytest.fixture(autouse=True)
def _log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DIALGATE_PUBLISH_MAX", "7")  # Only the log's settings are handed on.
    monkeypatch.delenv("DIALGATE_KAFKA_SERVERS", raising=False)
    write_log(history(), tmp_path / "data")


def compare(*arguments: str, status: int) -> str:
    done = CliRunner().invoke(cli, ["compare", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_two_builds_differ_where_one_folds_otherwise_and_nowhere_else(tmp_path: Path) -> None:
    told = compare(build(tmp_path, MISCOUNTS), status=1).splitlines()
    assert told[0].startswith("contacts 2/3: state.attempts 1 here, 7 there")
    assert told[-2] == "campaigns that differ: 1, most of all 2 (1)"
    compared, _, differ = told[-1].partition(" rows compared: ")
    assert int(compared) > 100
    assert differ == "1 differ"
    assert sorted(one.name for one in (tmp_path / "data").iterdir()) == ["log.db"], "only read"


def test_a_build_that_cannot_print_its_views_is_compared_by_its_rulings(tmp_path: Path) -> None:
    found = orjson.loads(compare(build(tmp_path, OLD), "--json", status=0).splitlines()[-1])
    assert (found["what"], found["differences"]) == ("rulings", 0)
    assert found["compared"] == 67


def test_a_build_that_stops_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = build(tmp_path, STOPS)
    assert f"{script} ended with 1" in compare(script, status=1)
    assert "another build's word" in capfd.readouterr().err


@pytest.mark.parametrize("other", [MISCOUNTS, OLD])
def test_a_campaign_that_is_not_there_is_told(tmp_path: Path, other: str) -> None:
    said = compare(build(tmp_path, other), "--campaign", "77", status=2)
    assert "expected a campaign of this log, found 77" in said


def test_what_is_no_dialgate_is_told() -> None:
    assert "no/such/dialgate" in compare("no/such/dialgate", status=2)
