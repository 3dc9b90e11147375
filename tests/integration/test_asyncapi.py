"""The AsyncAPI document, as the official parser reads it (node, by npm from the lock file)."""

import copy
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from campaigns.events.asyncapi import document
from docs.generate import ROOT

HERE = ROOT / "tests" / "asyncapi"
WITHIN_S = 120


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the parser. Without npm: an error in CI, elsewhere a skip."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("npm is missing: apt-get install nodejs npm")
        pytest.skip("npm is missing")
    folder = tmp_path_factory.mktemp("asyncapi")
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copy(HERE / name, folder)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    subprocess.run(("npm", "ci", *quiet), cwd=folder, check=True, timeout=WITHIN_S)
    return folder


def found_wrong(parser: Path, shape: Any) -> list[str]:  # Any: JSON.
    """Return what is wrong with a document, a line each."""
    done = subprocess.run(
        ("node", "check.mjs"),
        cwd=parser, input=orjson.dumps(shape), capture_output=True, timeout=WITHIN_S,
    )  # fmt: skip
    assert not done.stderr, done.stderr.decode()
    found = done.stdout.decode().splitlines()
    assert done.returncode == bool(found)
    return found


def test_the_official_parser_finds_nothing_wrong_with_it(parser: Path) -> None:
    assert found_wrong(parser, document("1.0.0")) == []


def test_the_official_parser_finds_what_is_wrong(parser: Path) -> None:
    spoilt = copy.deepcopy(document("1.0.0"))
    spoilt["operations"]["post"]["channel"] = {"$ref": "#/channels/nowhere"}
    assert found_wrong(parser, spoilt)


def test_the_lock_file_names_no_place_to_load_from() -> None:
    locked = (HERE / "package-lock.json").read_text()
    assert "://" not in locked
    assert locked.count('"integrity"') == locked.count('"node_modules/')
