"""Writes the parts of the documents that are made from code, so that they cannot go stale.

`make docs` writes them; tests/test_tidy.py fails when one is not what the code says. A part stands
between `<!-- made from code: NAME -->` and `<!-- end -->`.
"""

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from enum import StrEnum
from inspect import getsourcefile
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import FACTS, TAGS, AnyCallFact, AnyCampaignFact, CampaignCreated
from campaigns.domain.moves import MOVES, Move
from campaigns.events.event_types import EVENT_TYPES, EXAMPLES
from campaigns.http.door import STATUS
from campaigns.http.examples import CAMPAIGN, PAUSED
from command_api.http.schemas import IMPORTED
from dialer.calls.call_states import LEGAL, Late, Logged
from dialgate.application import document
from dialgate.settings import knobs
from projector.queries.contact_schemas import CONTACT, IMPORT

LINE_CHARS = 96
ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "contract" / "samples"
EVENT_EXAMPLES = ROOT / "shared" / "campaigns" / "events" / EXAMPLES

# What each move that changes a status puts on the record.
RECORDED = {
    Move.START: "campaign-started.v1",
    Move.PAUSE: "campaign-paused.v1",
    Move.RESUME: "campaign-resumed.v1",
    Move.STOP: "campaign-stopped.v1",
    Move.COMPLETE: "campaign-completed.v1",
    Move.SCHEDULE: "campaign-scheduled.v1",
    Move.UNSCHEDULE: "campaign-unscheduled.v1",
    Move.BEGIN: "campaign-due.v1",
    Move.END_RUN: "run-ended.v1",
    Move.FAIL: "campaign-failed.v1",
    Move.REARM: "campaign-rearmed.v1",
    Move.DELETE: "campaign-deleted.v1",
}


def remarks(of: type[BaseSettings] | type[StrEnum]) -> dict[str, str]:
    """Return the trailing comment of each field or member of a class."""
    path = Path(getsourcefile(of) or "")
    with path.open("rb") as source:
        found = {
            token.start[0]: token.string.removeprefix("#").strip()
            for token in tokenize.tokenize(source.readline)
            if token.type == tokenize.COMMENT
        }
    (body,) = (
        node.body
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == of.__name__
    )
    return {
        name.id: found[node.end_lineno or 0]
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign) and (node.end_lineno or 0) in found
        for name in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(name, ast.Name)
    }


def table(head: str, rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table in Markdown. `head`: its columns, with ` | ` between."""
    rule = " | ".join("---" for _ in head.split(" | "))
    lines = [f"| {head} |", f"| {rule} |"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _default(value: Any) -> str:  # Any: a knob's default.
    if value is None:
        return "none"
    if isinstance(value, SecretStr):
        return "hidden"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if str(value) else "empty"


def knob_table() -> str:
    """Return the table of all knobs."""

    def rows() -> Iterator[tuple[str, ...]]:
        seen = set()
        for variable, settings, name in knobs():
            if variable in seen:
                continue  # The keys are knobs of two services.
            seen.add(variable)
            default = settings.model_fields[name].default
            yield f"`{variable}`", _default(default), remarks(settings)[name]

    return table("variable | default | meaning", rows())


def reason_table() -> str:
    """Return every Reason, the status that shows it, and what it means."""
    meanings = remarks(Reason)
    rows = ((f"`{one}`", str(STATUS[one]), meanings[one.name]) for one in Reason)
    return table("reason | status | meaning", rows)


def fact_table() -> str:
    """Return every fact, its stream, what it says, and the one module that makes it."""

    def rows() -> Iterator[tuple[str, ...]]:
        for fact in FACTS:
            said = " ".join((fact.__doc__ or "").split())
            meaning, maker = re.split(r" Made by: ", said, maxsplit=1)
            kind = _sample(fact.TYPE).stream.split("/")[0]
            what = meaning.split(" Source:")[0]
            yield (
                f"`{fact.TYPE}`",
                f"`{kind}/…`",
                what,
                f"`{maker.split('. Source')[0].strip('.')}`",
            )

    return table("fact | stream | says | made by", rows())


def _sample(tag: str) -> Any:  # Any: one of the facts.
    stored = orjson.loads((SAMPLES / f"{tag}.json").read_bytes())
    return TAGS[tag].validated(stored)


def status_diagram() -> str:
    """Return the campaign's legal moves: MOVES, and what `evolve` makes of each."""

    def becomes(move: Move, tag: str) -> str:
        campaign = evolve(None, _sample(CampaignCreated.TYPE), 1)
        assert campaign is not None, "a created campaign is there"
        fact: AnyCampaignFact | AnyCallFact = _sample(tag)
        after: Campaign | None = evolve(campaign, fact, 2)
        assert after is not None, "it stays there"
        return "[*]" if after.deleted else str(after.status)

    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> draft: create"]
    for move, tag in RECORDED.items():
        to = becomes(move, tag)
        lines += [
            f"    {one} --> {to}: {move}"
            for one in sorted(MOVES[move])
            if not (move is Move.START and one in ("paused", "scheduled"))  # Which is no start.
        ]
    lines.append("```")
    lines.append("")
    contacts = (
        (f"`{move}`", ", ".join(sorted(MOVES[move]))) for move in Move if move not in RECORDED
    )
    return "\n".join([*lines, table("allowed | while the campaign is", contacts)])


def call_table() -> str:
    """Return the combinations in which a call can stand, as `dialer.calls.call_states` has them."""

    def rows() -> Iterator[tuple[str, ...]]:
        meanings = remarks(Logged)
        for stage, words in LEGAL.items():
            for lates in dict.fromkeys(words.values()):
                yield (
                    f"{stage}: {meanings[stage.name]}",
                    ", ".join(word for word, its in words.items() if its == lates),
                    ", ".join(late for late in Late if late in lates),
                )

    return table("the log says | the carrier is taken to say | its ring was", rows())


def endpoint_table() -> str:
    """Return every operation that there is, with every status that it can answer."""

    def rows() -> Iterator[tuple[str, ...]]:
        for path, methods in document()["paths"].items():
            for method, operation in methods.items():
                does = operation["description"].split("\n")[0]
                statuses = ", ".join(sorted(operation["responses"]))
                yield f"`{method.upper()} {path}`", does, statuses

    return table("operation | does | statuses", rows())


def shown(given: dict[str, Any]) -> str:
    """Return an example of the OpenAPI document, in lines that fit on a page."""
    lines = [""]
    for part in re.split(r'(?<=,) (?=")', orjson.dumps(given).decode().replace(',"', ', "')):
        if lines[-1] and len(lines[-1]) + len(part) > LINE_CHARS:
            lines.append("")
        lines[-1] += part.replace('":', '": ') + " "
    inner = "\n ".join(line.rstrip() for line in lines)
    return f"```json\n{inner}\n```"


PARTS: dict[str, Callable[[], str]] = {
    "knobs": knob_table,
    "reasons": reason_table,
    "facts": fact_table,
    "moves": status_diagram,
    "calls": call_table,
    "endpoints": endpoint_table,
    "a campaign": lambda: shown(CAMPAIGN),
    "a pause": lambda: shown(PAUSED),
    "a contact": lambda: shown(CONTACT),
    "an import": lambda: shown(IMPORTED),
    "how an import stands": lambda: shown(IMPORT),
}
_PART = re.compile(r"<!-- made from code: ([a-z ]+) -->\n.*?<!-- end -->", re.DOTALL)


def renewed(text: str) -> str:
    """Return a document with its made parts as the code says now."""
    return _PART.sub(
        lambda found: f"<!-- made from code: {found[1]} -->\n{PARTS[found[1]]()}\n<!-- end -->",
        text,
    )


def documents() -> list[Path]:
    """Return every document of the repository."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def event_examples() -> bytes:
    """Return an example of each type of event: the stored samples."""
    found = {tag: orjson.loads((SAMPLES / f"{tag}.json").read_bytes()) for tag in EVENT_TYPES}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """Write every document whose made parts have changed, and the examples of events."""
    EVENT_EXAMPLES.write_bytes(event_examples())
    for path in documents():
        text = path.read_text()
        if (new := renewed(text)) != text:
            path.write_text(new)
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
