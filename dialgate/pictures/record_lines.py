"""One record of the log with its ruling, as programs and people read it."""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from msgspec import to_builtins

from campaigns.audit.masks import masked, personal
from campaigns.audit.rulings import Ruled, RulingKind
from campaigns.audit.stories.fact_texts import text_of
from campaigns.audit.stories.phrases import clipped
from campaigns.domain.facts import AnyFact, ContactsEncrypted
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.rows import ERASED, UNREADABLE, Revealed, Row, UnreadableRow
from campaigns.personal.open_rows import RevealedRows
from campaigns.process.errors import ContractError
from campaigns.process.printable_text import one_line
from campaigns.records.record import Envelope
from dialgate.verbs.terminal import say_all, say_paragraph

_ACCEPTED = RulingKind.ACCEPTED
_HEAD = len('{"dialgate":1,')  # A record begins with its level.
assert LEVEL_NEWEST < 10, "which has one digit"
_SHOWN = ("type", "stream", "data", "aside")  # The parts of a fact that are printed.
_COLOURS = {
    RulingKind.ACCEPTED: "green",
    RulingKind.REFUSED: "yellow",
    RulingKind.FOREIGN: "red",
    RulingKind.SKIPPED: "magenta",
}

Line = dict[str, Any]  # Any: JSON.


def shape(ruled: Ruled, *, whole: bool = False, rows: RevealedRows | None = None) -> Line:
    """Return a record with its ruling, as JSON.

    `whole`: also what it rested on, and which request and record it followed. `rows`: with
    encrypted ones `opened`, beside the fact as it is written.
    """
    recorded, ruling, why = ruled
    line: Line = {"at": recorded.where, "ruling": ruling}
    if why is not None:
        line["why"] = why
    if ruling.has_facts:
        envelope = recorded.envelope
        assert isinstance(envelope, Envelope), "foreign bytes are never accepted or refused"
        line["id"], line["time"] = envelope.id, envelope.time
        line["source"], line["actor"] = envelope.source, envelope.actor
        if whole:
            line["correlation_id"] = envelope.correlation_id
            line["causation_id"] = envelope.causation_id
            line["condition"] = envelope.condition
            if envelope.idempotency is not None:
                line["idempotency"] = to_builtins(envelope.idempotency)
        line["facts"] = [
            {name: offered[name] for name in _SHOWN if name in offered}  # type: ignore[literal-required]
            for offered in recorded.offered
        ]
        if rows is not None:
            _add_opened(line["facts"], ruled, rows)
    return line


def _add_opened(facts: list[Line], ruled: Ruled, rows: RevealedRows) -> None:
    for shown, fact in zip(facts, known_facts(ruled), strict=False):
        if isinstance(fact, ContactsEncrypted):
            shown["opened"] = [_opened(one) for one in rows.of(fact)]


def _opened(row: Revealed) -> Line:
    """Return a row as a plain list has it, or one word of why it is not there."""
    match row:
        case None:
            return {ERASED: True}
        case UnreadableRow():
            return {UNREADABLE: row.why}
        case Row():
            whole: Line = orjson.loads(row.as_json())
            return whole


def known_facts(ruled: Ruled) -> Sequence[AnyFact]:
    """Return a record's facts; none of what was not read, or is refused and not known."""
    try:
        return ruled.recorded.facts if ruled.ruling.has_facts else ()
    except ContractError:
        return ()


def masked_line(line: Line) -> Line:
    """Hide personal data in a line that `shape` made, in place; return it."""
    for fact in line.get("facts", ()):
        fact["data"] = masked(fact["type"], fact["data"])
    return line


def json_lines(
    batch: Sequence[Ruled], *, reveal: bool, rows: RevealedRows | None = None
) -> list[bytes]:
    """Return some records of one partition as JSON, each with its ruling.

    Personal data is hidden unless `reveal`; `rows` opens encrypted ones. An accepted record is JSON
    already: a plain one is what `shape` would make of it, but for the level, and is copied.
    """
    lines = list[bytes]()
    start = f'{{"at":"{batch[0].recorded.partition}@'.encode() if batch else b""
    for ruled in batch:
        recorded, ruling, _ = ruled
        fact = recorded.facts[0] if ruling is _ACCEPTED else None
        if (
            fact is not None
            and recorded.plain
            and (reveal or not personal(fact))
            and (rows is None or type(fact) is not ContactsEncrypted)
        ):
            rest = recorded.raw[_HEAD:]  # type: ignore[index]  # It was read.
            lines.append(b'%b%d","ruling":"accepted",%b' % (start, recorded.position, rest))
            continue
        line = shape(ruled, whole=True, rows=rows)
        lines.append(orjson.dumps(line if reveal else masked_line(line)))
    return lines


def show_records(batch: Sequence[Ruled], *, reveal: bool, rows: RevealedRows | None = None) -> None:
    """Print records for people: a line each, or on a terminal a paragraph, with colours."""
    if not sys.stdout.isatty():
        say_all(_line(one, reveal=reveal, rows=rows) for one in batch)
        return
    for ruled in batch:
        time, actor = _origin(ruled)
        colour = _COLOURS[ruled.ruling]
        head = (
            (f"{ruled.recorded.where}  ", "bold"), (f"{ruled.ruling.value}  ", colour),
            (f"{time}  ", ""), (actor, "cyan"),
        )  # fmt: skip
        facts = _facts(ruled, reveal=reveal, rows=rows)
        body = [((f"{tag}  ", "dim"), (text, "")) for tag, text in facts]
        say_paragraph(head, *body, *([((ruled.why, colour),)] if ruled.why else []))


def _line(ruled: Ruled, *, reveal: bool, rows: RevealedRows | None) -> str:
    facts = _facts(ruled, reveal=reveal, rows=rows)
    said = "  ".join(f"{tag} {text}".strip() for tag, text in facts)
    why = one_line(ruled.why) if ruled.why else ""
    if not said:
        return f"{ruled.recorded.where}  {ruled.ruling:<8}  {why}"
    time, actor = _origin(ruled)
    reason = f"  ({why})" if why else ""
    return f"{ruled.recorded.where}  {ruled.ruling:<8}  {time}  {actor}  {said}{reason}"


def _facts(ruled: Ruled, *, reveal: bool, rows: RevealedRows | None) -> list[tuple[str, str]]:
    """Return the tag and the text of each fact; of a refused one that is not known, no text."""
    recorded = ruled.recorded
    if not ruled.ruling.has_facts:
        return []
    opened = None if rows is None else rows.of
    try:
        return [(fact.TYPE, text_of(fact, reveal=reveal, opened=opened)) for fact in recorded.facts]
    except ContractError:
        return [
            (one_line(clipped(f"{offered['type']} {offered['stream']}")), "")
            for offered in recorded.offered
        ]


def _origin(ruled: Ruled) -> tuple[str, str]:
    """Return a record's time and actor, to be printed."""
    if not ruled.ruling.has_facts:
        return "", ""
    envelope = ruled.recorded.envelope
    assert isinstance(envelope, Envelope), "what has facts has an envelope"
    return one_line(clipped(envelope.time)), one_line(clipped(envelope.actor))
