"""What is installed for users is what the product uses: what only tests use is in the dev extra."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("shared", "services", "dialgate")

# Nothing of ours imports these; each is loaded by a library, which does not ask for it itself.
LOADED_BY_OTHERS = {
    "cramjam": "aiokafka, for compressed records",
    "httptools": "uvicorn, whose protocol ours is built on",
    "python-multipart": "FastAPI, for files",
    "tzdata": "zoneinfo, where the system has no time zones",
    "websockets": "uvicorn, for sockets",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> dict[str, str]:
    """Return the distributions of requirements, each with its extras, `[crypto]`, or nothing."""
    found = [re.match(r"([\w.-]+)(\[[\w,]+\])?", one) for one in requirements]
    return {normal(one[1]): one[2] or "" for one in found if one}


def imported() -> set[str]:
    """Return the distributions whose modules the product's files import."""
    modules = set[str]()
    for path in (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text()
        modules |= set(re.findall(r"^\s*(?:import|from) (\w+)", text, flags=re.MULTILINE))
    of_module = packages_distributions()
    return {normal(name) for module in modules for name in of_module.get(module, ())}


def test_each_dependency_of_users_is_imported_or_loaded_by_a_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared, ours = named(project["dependencies"]), imported()
    assert declared.keys() - ours == LOADED_BY_OTHERS.keys(), "who uses them?"
    assert ours >= {"httpx", "pydantic-settings", "sqlalchemy"}, "it does find what is imported"


def test_what_only_tests_need_is_not_installed_for_users() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared, dev = named(project["dependencies"]), named(project["optional-dependencies"]["dev"])
    both = declared.keys() & dev.keys()
    assert {name: declared[name] for name in both} == {"eventsourcing": ""}
    assert {name: dev[name] for name in both} == {"eventsourcing": "[crypto]"}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = named(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        declared |= named(extra)
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert declared.keys() - {normal(line.partition("==")[0]) for line in lines} == set()
