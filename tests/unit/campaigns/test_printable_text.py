"""No text steers a terminal, whatever wrote it; and JSON stays what it was."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dialgate
from campaigns.process.printable_text import clean, one_line

STEERS = [
    "\x1b[2J", "\x9b2J", "\x1b]0;title\x07", "\x00", "\x08\x08", "\rforged", "\x7f", "\x85",
    "\u202eevil", "\u2066a\u2069", "\u200f", "\u061c", "\u2028", "\ufeff", "\u200b", "\ud800",
    "\ufff9a\ufffb",
]  # fmt: skip


@pytest.mark.parametrize("text", STEERS)
def test_what_steers_a_terminal_is_escaped(text: str) -> None:
    found = clean(f"a{text}b")
    assert found.isascii() and found.isprintable(), "what does not steer in these is ASCII"
    assert json.loads(f'"{found}"') == f"a{text}b"


@pytest.mark.parametrize(
    "text", ["Ann", "naïve", "नाम", "👩‍👩‍👧", "שלום", "a\tb\nc", "█▁▂ ▲", "می\u200cخواهم"]
)
def test_what_does_not_stays(text: str) -> None:
    assert clean(text) == text


def test_a_part_of_a_line_ends_none() -> None:
    assert one_line("a\nb\tc") == "a\\u000ab\\u0009c"


@given(st.text())
def test_json_is_the_same_when_it_is_printed(text: str) -> None:
    for written in (json.dumps([text]), json.dumps([text], ensure_ascii=False)):
        assert json.loads(clean(written)) == [text]
        clean(written).encode()


def test_every_verb_prints_through_one_place() -> None:
    """`dialgate.verbs.terminal`: a verb that prints directly would let tenants' texts through."""
    for path in sorted(Path(dialgate.__file__).parent.rglob("*.py")):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called.rpartition(".")[2] not in ("print", "echo", "secho"), path.name
            assert called not in ("sys.stdout.write", "sys.stderr.write", "console.print")
