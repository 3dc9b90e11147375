"""What browsers are given: as its makers released it, whole, and not too much of it."""

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

from projector.pages.assets import VENDORED, assets
from projector.pages.html import POLICY

FOLDER = files("projector.pages") / "static" / "vendored"
ALL_MAX_BYTES = 62_000  # Compressed; of which what others made is some 50 kB.
ROOT = Path(__file__).parents[3]


def test_what_others_made_is_as_they_released_it() -> None:
    found = {one.name for one in FOLDER.iterdir() if one.is_file()}
    assert found == VENDORED.keys()
    for name, release in VENDORED.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == release.sha256
        assert release.package.rpartition("@")[2] in name, "its version is in its name"


def test_each_of_them_has_its_licence_beside_it() -> None:
    of = {"htmx.org": "htmx", "@picocss/pico": "pico", "uplot": "uplot"}
    for release in VENDORED.values():
        text = (FOLDER / "licences" / of[release.package.rpartition("@")[0]]).read_text()
        assert {"0BSD": "Zero-Clause BSD", "MIT": "MIT License"}[release.licence] in text


def test_all_of_it_together_is_small() -> None:
    assert sum(len(one.compressed) for one in assets().values()) < ALL_MAX_BYTES


def test_no_page_may_run_or_load_what_is_not_a_file_of_ours() -> None:
    assert POLICY.startswith("default-src 'self';")
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    for template in (files("projector.pages") / "templates").iterdir():
        text = template.read_text("utf-8")
        assert "style=" not in text, f"{template.name}: an inline style"
        assert not re.search(r"\son[a-z]+=|hx-on", text), f"{template.name}: an inline script"
        assert "js:" not in text, template.name
        assert "<script>" not in text, template.name


def test_pages_are_in_the_wheel(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("static", "static/vendored", "static/vendored/licences", "templates"):
        for one in (ROOT / "services/projector/projector/pages" / folder).iterdir():
            if one.is_file():
                assert f"projector/pages/{folder}/{one.name}" in names
