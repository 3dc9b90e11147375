"""The rules of this repository that a machine can check: see CONTRIBUTING.md."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from campaigns.domain.decider import Reason
from campaigns.domain.facts import FACTS
from campaigns.domain.moves import Move
from campaigns.gates.gates import GATES
from campaigns.http.door import STATUS
from campaigns.records.topics import TOPICS
from dialgate.__main__ import cli
from dialgate.settings import ALL, knobs
from docs import generate

ROOT = generate.ROOT
ME = "tests/test_tidy.py"  # Quotes what it looks for.
# This file, and what others have made: a browser's own test holds the page to its origin.
OTHERS = re.compile(rf"{re.escape(ME)}$|\.min\.(js|css)$|/licences/|/axe/LICENSE$")
PRODUCT = ("shared", "services", "dialgate")
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX, TEST_LINES_MAX = 250, 400
FOLDER_MODULES_MAX = 16
FORBIDDEN = {"utils", "util", "helpers", "common", "base", "models", "manager", "misc"}
# Words of names that end as participles do, and are none.
NOUNS = {"eventsourcing", "feed", "keyring", "pacing", "ring", "simulated", "testing"}

# Files over the limit, each with what would be lost by cutting it.
LONG = {
    "services/command-api/command_api/service.py": "what one instance consists of, side by side",
    "services/projector/projector/service.py": "what one projector consists of, side by side",
    "services/projector/projector/advance.py": "the way of a batch, in one order",
    "tests/simulation/world.py": "one world, from its seed to its end",
    "tests/simulation/auditor.py": "one judge: every promise about one permission side by side",
    "shared/campaigns/stores/contacts.py": "The contacts' tables, and every question about them.",
    "services/command-api/command_api/http/campaign_routes.py": "one noun's routes",
    "services/projector/projector/store/view_store.py": "the TrackingRecorder, which is one class",
    "shared/campaigns/sqlite/sqlite_log.py": "the adapter, which is one class",
    "shared/campaigns/domain/facts.py": "the catalogue, to be read in one piece",
    "shared/campaigns/domain/evolution.py": "the fold of a campaign, side by side",
    "shared/campaigns/audit/transfer/parquet_tables.py": "every table of one export",
    "tests/contract/test_carrier.py": "one suite for every carrier",
    "tests/e2e/test_deployment.py": "one deployment: compose, image, gateway",
    "tests/integration/test_bad_input.py": "one table over every endpoint",
    "tests/integration/test_dashboard.py": "one system and one browser for every page",
    "tests/integration/test_recorder.py": "one recorder, the library's suites and ours",
}

# Whom the repository may point to. No mirror, registry or machine of ours is among them.
HOSTS = re.compile(
    r"127\.0\.0\.1|localhost|host|\w+|([\w-]+\.)*(apache\.org|readthedocs\.io|github\.com|www\.w3\.org|sqlite\.org"
    r"|keepachangelog\.com|semver\.org|python\.org|cloudevents\.io|www\.standardwebhooks\.com|example\.com|ietf\.org|rfc-editor\.org|whatwg\.org|asyncapi\.com)"
)
MACHINE_PATHS = re.compile(r"(?<![\w.])(/work/|/root/|/home/|/Users/)|\.\./shared")


@cache
def tracked() -> list[Path]:
    """Return every file that is under version control."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@cache
def sources(*folders: str) -> dict[str, str]:
    """Return Python files by their path, those of the product unless folders are given."""
    named = {path.relative_to(ROOT): path for path in tracked() if path.suffix == ".py"}
    wanted = folders or PRODUCT
    return {str(name): path.read_text() for name, path in named.items() if name.parts[0] in wanted}


@cache
def everything() -> dict[str, str]:
    """Return every text file by its path."""
    texts = {}
    for path in tracked():
        try:
            texts[str(path.relative_to(ROOT))] = path.read_text()
        except UnicodeDecodeError:
            continue
    return texts


def module_of(name: str) -> str:
    """Return a source file's module: `shared/campaigns/log/port.py` is campaigns.log.port."""
    parts = Path(name).with_suffix("").parts
    return ".".join(parts[{"shared": 1, "services": 2}.get(parts[0], 0) :])


def calls(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)


def test_every_file_is_known_to_git() -> None:
    """First of all: what git does not know is not looked at by any test of this file."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    unknown = [name for name in listed.split("\0") if name]
    assert not unknown, "git add these, or have .gitignore name them"


def test_functions_are_short() -> None:
    long = [
        f"{name}: {node.name}"
        for name, text in sources(*PRODUCT, "tests", "bench", "docs").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not long


def test_files_are_short_or_say_why() -> None:
    lines = {name: text.count("\n") for name, text in sources(*PRODUCT, "tests", "bench").items()}
    limit = {name: TEST_LINES_MAX if "tests/" in name else FILE_LINES_MAX for name in lines}
    long = {name for name in lines if lines[name] > limit[name]}
    assert long <= LONG.keys(), {name: lines[name] for name in long - LONG.keys()}


def test_modules_say_what_is_in_them() -> None:
    silent = [
        name
        for name, text in sources(*PRODUCT, "tests", "bench", "docs").items()
        if not name.endswith("__init__.py") and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent


def test_files_have_names_that_say_something() -> None:
    assert not [name for name in everything() if Path(name).stem in FORBIDDEN]
    assert not [name for name, text in everything().items() if "__init__" in name and text]


def modules() -> list[str]:
    """Return the product's modules by their dotted names."""
    return [module_of(name) for name in sources() if not name.endswith("__init__.py")]


def test_modules_are_named_by_nouns() -> None:
    words = {word for name in modules() for part in name.split(".") for word in part.split("_")}
    assert not {word for word in words if word.endswith(("ing", "ed"))} - NOUNS


def test_no_module_name_stands_twice_in_a_package() -> None:
    named = Counter((name.split(".")[0], name.rpartition(".")[2]) for name in modules())
    assert not [name for name, times in named.items() if times > 1]


def test_no_class_name_stands_twice() -> None:
    named = Counter(
        node.name
        for text in sources().values()
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    )
    assert not [name for name, times in named.items() if times > 1], "one name has one meaning"


def test_folders_are_small_and_in_the_picture() -> None:
    folders = Counter(name.rpartition(".")[0] for name in modules())
    assert max(folders.values()) <= FOLDER_MODULES_MAX, folders.most_common(3)
    text = (ROOT / "docs" / "architecture.md").read_text()
    picture = text.split("## The folders")[1].split("\n## ")[0]
    assert not [name for name in folders if f"{name.rpartition('.')[2]}/" not in picture]


def test_every_folder_is_a_layer() -> None:
    contracts = (ROOT / "pyproject.toml").read_text().split("[tool.importlinter]")[1]
    inner = {name.split(".")[1] for name in modules() if name.startswith("campaigns.")}
    assert not [name for name in inner if f"campaigns.{name}" not in contracts]


def test_each_fact_is_made_in_the_one_module_that_its_docstring_names() -> None:
    names = {fact.__name__ for fact in FACTS}
    made: dict[str, set[str]] = {}
    for name, text in sources().items():
        if module_of(name) not in {"campaigns.domain.facts", "campaigns.testing.sample_records"}:
            for called in names.intersection(calls(text)):
                made.setdefault(called, set()).add(module_of(name))
    said = {
        fact.__name__: set(re.findall(r"Made by: ([\w.]+)\b", fact.__doc__ or "")) for fact in FACTS
    }
    assert made == said


def test_every_reason_is_used_and_rendered_and_explained() -> None:
    used = "".join(text for name, text in sources().items() if not name.endswith("/http/door.py"))
    assert set(STATUS) == set(Reason)
    assert not [one for one in Reason if f"Reason.{one.name}" not in used]
    assert {one.name for one in Reason} == generate.remarks(Reason).keys()


def test_every_knob_says_what_it_means_and_has_one_meaning() -> None:
    silent = [name for _, settings, name in knobs() if name not in generate.remarks(settings)]
    assert not silent
    shared = Counter(variable for variable, _, _ in knobs())
    twice = {variable for variable, times in shared.items() if times > 1}
    same = {
        "DIALGATE_API_KEY", "DIALGATE_API_KEYS", "DIALGATE_RATE_PER_MINUTE",
        "DIALGATE_REQUESTS_PER_KEY_MAX", "DIALGATE_REQUESTS_PER_ORGANIZATION_MAX",
        "DIALGATE_WRONG_KEYS_PER_MINUTE",
    }  # fmt: skip
    assert twice == same, "of two services, and the same"
    assert all(settings.__doc__ for settings in ALL)


def test_every_gate_has_a_source() -> None:
    assert not [gate for gate in GATES if "Source:" not in (gate.__doc__ or "")]


def test_only_the_catalogue_names_a_topic() -> None:
    topics = {topic.name for topic in TOPICS}
    named = {
        name
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value in topics
    }
    assert named == {"shared/campaigns/records/topics.py"}


def test_what_is_left_to_do_has_a_number() -> None:
    mark = "TO" + "DO"
    assert not [
        name for name, text in everything().items() if re.search(rf"\b{mark}\b(?! \(?#\d)", text)
    ]


def test_nothing_points_to_a_machine_of_ours() -> None:
    here = {name: text for name, text in everything().items() if not OTHERS.search(name)}
    assert not {name for name, text in here.items() if MACHINE_PATHS.search(text)}
    hosts = {
        host
        for text in here.values()
        for host in re.findall(r"https?://([A-Za-z0-9.-]+)", text)
        if not HOSTS.fullmatch(host.rstrip("."))
    }
    assert not hosts


def test_made_parts_are_current() -> None:
    stale = [
        path
        for path in generate.documents()
        if generate.renewed(path.read_text()) != path.read_text()
    ]
    assert not stale, "make docs"
    assert set(generate.RECORDED) == set(Move) - {Move.UPDATE, Move.IMPORT, Move.APPEND}


@pytest.mark.parametrize("path", generate.documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.exists(), target
        if anchor:
            assert anchor in map(slug, headings(to.read_text())), target


def test_cited_decisions_exist() -> None:
    cited = {
        number for text in everything().values() for number in re.findall(r"ADR-(\d{4})", text)
    }
    numbers = sorted(path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert cited <= set(numbers)
    assert len(numbers) == len(set(numbers)), "each number is one decision's"


def test_cited_places_of_the_documents_exist() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    contract = (ROOT / "docs" / "contract.md").read_text()
    texts = [text for name, text in sources(*PRODUCT, "tests", "bench").items() if name != ME]
    code = re.sub(r"\n\s*#? *", " ", "\n".join(texts))  # A comment may be broken over lines.
    places = " | ".join([*headings(architecture), *re.findall(r"\*\*(.+?)\.?\*\*", architecture)])
    for named in re.findall(r'architecture "([^"]+)"', code):
        assert named.lower() in places.lower(), named
    decided = re.findall(r"^(\d+)\. ", contract.split("## 9. Decided")[1], re.MULTILINE)
    numbers = {heading.split()[0].rstrip(".") for heading in headings(contract)}
    numbers |= {f"9.{number}" for number in decided}
    for listed in re.findall(r"contract ((?:\d+(?:\.\d+)?(?:, and |, | and | to )?)+)", code):
        assert set(re.findall(r"\d+(?:\.\d+)?", listed)) <= numbers, listed
    others = r"'decided' \d|contract, (?:section|\d)|architecture, (?:section|\")"
    assert not re.search(others, code), "citations have one spelling: see CONTRIBUTING"


def test_each_invariant_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.split("## What is always true")[1].split("\n## ")[0]
    held = re.findall(r"^(\d)\. (.+)$", section, re.MULTILINE)
    assert [number for number, _ in held] == list("12345678")
    for _, line in held:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            assert re.search(rf"def {test}\(", (ROOT / file).read_text()), test


def definitions(text: str) -> set[str]:
    """Return the functions, classes and methods of a module by their qualified names."""
    found = set[str]()

    def visit(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = outer
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{outer}.{child.name}" if outer else child.name
                found.add(name)
            visit(child, name)

    visit(ast.parse(text), "")
    return found


@pytest.mark.parametrize(("heading", "steps"), [("Follow a pause", 12), ("Follow a call", 17)])
def test_each_step_that_is_followed_names_code_that_exists(heading: str, steps: int) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^(\d+)\. (.+)$", section, re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, steps + 1))
    for number, line in lines:
        named = re.findall(r"`([\w/.-]+\.py)::([\w.]+)`", line)
        assert named, f"step {number} names no function"
        for file, name in named:
            assert name in definitions(sources()[file]), f"step {number}: {file}::{name}"


def test_each_line_of_the_threat_model_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    lines = re.findall(r"^\| (?!who \||---)(.+) \|$", text, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            assert re.search(rf"def {test}\(", (ROOT / file).read_text()), test


def test_every_test_is_in_one_run_of_make_test() -> None:
    """Its runs split the tiers: what no run names would be skipped without a word."""
    makefile = (ROOT / "Makefile").read_text()

    def variable(name: str) -> str:
        found = re.search(rf"(?m)^{name} := (.+)$", makefile)
        assert found, name
        return found[1]

    runs = re.search(r"(?m)^test:.*\n((?:\t.*\n)+)", makefile)
    assert runs is not None
    marked = []
    for run in re.findall(r"\$\(PYTEST\) (.+?) \|\| status=1;", runs[1]):
        plain = re.sub(r"\$\((SPREADING|PAIRING)\)", lambda found: variable(found[1]), run)
        marked += re.findall(r"-m '?((?:not )?\w+)'? (?:.* )?\$\((\w+)\)$", plain)
    assert sorted(marked) == [  # Each tier is run twice: with a mark, and without it.
        ("alone", "PAIRED"), ("kafka", "SPREAD"), ("not alone", "PAIRED"), ("not kafka", "SPREAD")
    ]  # fmt: skip
    assert runs[1].rstrip().endswith("exit $$status")
    named = [name for tiers in ("SPREAD", "PAIRED") for name in variable(tiers).split()]
    tests = {one.relative_to(ROOT) for one in (ROOT / "tests").rglob("test_*.py")}
    counted = Counter(test for test in tests for name in named if test.is_relative_to(name))
    assert {test: counted[test] for test in tests if counted[test] != 1} == {}


def test_the_commands_that_documents_name_exist() -> None:
    listed = re.findall(r"^([a-z0-9 -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {name for names in listed for name in names.split()}
    verbs = set(getattr(get_command(cli), "commands", {}))
    for path in generate.documents():
        quoted = re.findall(r"`([^`\n]+)`|```\w*\n(.*?)```", path.read_text(), re.DOTALL)
        code = "\n".join(inline or block for inline, block in quoted)
        assert set(re.findall(r"\bmake ([a-z0-9]+)", code)) <= targets, path.name
        assert set(re.findall(r"(?:^|bin/)dialgate ([a-z-]+)", code, re.MULTILINE)) <= verbs
