"""Reads a record in one typed pass over its bytes, or declines: then json_reader.py decides.

Pure. Whatever this reader accepts, the other accepts as the same: `tests/property/test_readers.py`.
So it declines everything that their parsers could read differently, without a reason (ADR-0025).
"""

import re
from typing import Annotated, Any, Union

from msgspec import Meta, MsgspecError, Struct, defstruct, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import force_setattr

from campaigns.domain.facts import TAGS, AnyFact, CallFact, CallRequested
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST, asides
from campaigns.domain.values.stream_names import Stream
from campaigns.domain.values.value import hints
from campaigns.records.plain_facts import FLOAT_MAX, PLAIN
from campaigns.records.record import VERSION_MAX, Envelope, FactEntry, Foreign, Idempotency
from campaigns.records.streams import PLACES, misplaced
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

_Text = Annotated[str, Meta(min_length=1)]
_Version = Annotated[int, Meta(ge=0, le=VERSION_MAX)]


def _closed(name: str, shape: list[Any], **more: Any) -> type[Any]:  # Any: as defstruct takes it.
    """Return a struct that admits nothing besides its fields."""
    return defstruct(
        name, shape, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False, **more
    )


def _entry(tag: str, kind: type[AnyFact]) -> type[FactEntry]:
    """Return the struct of a record's entry for facts of this tag."""
    shape: list[Any] = [("data", kind)]  # Any: as above.
    if beside := asides(kind):
        aside = _closed(f"{kind.__name__}Aside", [(n, hints(kind)[n], None) for n in beside])
        shape.append(("aside", aside | None, None))
    return _closed(
        f"{kind.__name__}FactEntry",
        shape,
        bases=(FactEntry,),
        tag_field="type",
        tag=tag,
        omit_defaults=True,
    )


_AnyEntry: Any = Union[tuple(_entry(tag, kind) for tag, kind in TAGS.items())]  # noqa: UP007
Whole: type[Envelope] = _closed(
    "Whole",
    [
        ("level", Annotated[int, Meta(ge=LEVEL_OLDEST, le=LEVEL_NEWEST)], field(name="dialgate")),
        *((name, _Text) for name in ("id", "time", "source", "actor", "correlation_id")),
        ("causation_id", str | None),
        ("condition", dict[Stream, _Version]),
        ("entries", Annotated[list[_AnyEntry], Meta(min_length=1)], field(name="facts")),
        ("idempotency", Idempotency | None, None),
    ],
    bases=(Envelope,),
    omit_defaults=True,
)
_decode, _encode, _known = Decoder(Whole).decode, Encoder().encode, PLACES.get

_too_fine = re.compile(
    rb"\.[0-9]{7}"
).search  # Beyond microseconds one parser rounds, the other cuts off.
_FACTS = b'"facts"'  # Before them, no instant is decoded.
_END = b"}}]}"  # Of a record of one fact, with nothing beside its data.
_BACKSLASH, _CODE_POINT = ord("\\"), rb"\u"  # A digit or a name in disguise.
# Of each kind: the names of its fields aside, and how these stand in a record.
_ASIDES = {
    kind: [(name, f'"{name}"'.encode()) for name in beside]
    for kind in TAGS.values()
    if (beside := asides(kind))
}
# What may be any JSON: of its numbers and its depth each parser has its own idea.
_LOOSE = {
    kind: names
    for kind in TAGS.values()
    if (names := [name for name, hint in hints(kind).items() if "object" in str(hint)])
}
_UNUSUAL = {CallRequested, *_ASIDES, *_LOOSE}
_CALLS = frozenset(kind for kind in TAGS.values() if issubclass(kind, CallFact))


def read(
    raw: bytes | None, partition: Partition, partitions: int
) -> tuple[Envelope, tuple[AnyFact, ...]] | None:
    """Return a record's envelope and its facts; None: it declines."""
    if (
        not raw
        or (_too_fine(raw) and _too_fine(raw, max(raw.find(_FACTS), 0)))
        or (_BACKSLASH in raw and _CODE_POINT in raw)
    ):
        return None
    try:
        envelope = _decode(raw)
    except (MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    condition, entries = envelope.condition, envelope.entries
    entry = entries[0]
    fact: AnyFact = entry.data  # type: ignore[attr-defined]  # Made by `_entry`.
    kind = type(fact)
    if kind not in _CALLS or len(entries) > 1:
        facts = _facts(envelope, raw)
        if facts is None or not _in_place(envelope, partition, partitions):
            return None
        return envelope, facts
    # As for all others, and faster: nearly all of a log.
    campaign_id, contact_id = fact.campaign_id, fact.contact_id  # type: ignore[union-attr]
    if (place := _known(stream := entry.stream)) is None:
        if stream != f"contact/{campaign_id}/{contact_id}":
            return None
        PLACES.remember(stream, (campaign_id, contact_id))
    elif place[1] != contact_id or place[0] != campaign_id:
        return None
    if stream not in condition or (
        kind in _UNUSUAL and not _certain(kind, fact, entry, envelope, raw)
    ):
        return None
    here = campaign_id % partitions == partition[1] and partition[0] == CAMPAIGN_RECORDS
    if (len(condition) > 1 or not here) and not _in_place(envelope, partition, partitions):
        return None
    return envelope, (fact,)


def plain(envelope: Envelope | Foreign, raw: bytes) -> bool:
    """Say whether any JSON writer would make the same bytes again of what `read` found in them.

    So no two parsers read them differently (ADR-0034). It is known without a look at each byte in
    Python: what was read is written again. Whatever is spelt in another way (spaces, a name that
    stands twice, another order, 1e3) comes back as other bytes. Only records of one fact are known
    as plain, and only programs that copy records ask.
    """
    # Asked of each record that is copied: no loop over nothing, no search through the bytes.
    if type(envelope) is not Whole or len(entries := envelope.entries) > 1 or envelope.idempotency:
        return False
    entry = entries[0]
    fact: AnyFact = entry.data  # type: ignore[attr-defined]  # As above.
    if (known := PLAIN.get(type(fact))) is None:
        return False
    if unset := known.unset:
        if (aside := entry.aside) is not None:  # type: ignore[attr-defined]  # As above.
            written = _written_beside(envelope, fact, aside, unset)
        elif (written := _encode(envelope)) != raw and raw.endswith(_END):
            written = written.removesuffix(unset + _END) + _END
    else:
        written = _encode(envelope)
    if written != raw:
        return False
    for name in known.floats:
        value = getattr(fact, name)
        if value is not None and not -FLOAT_MAX < value < FLOAT_MAX:
            return False
    return True


def _written_beside(envelope: Envelope, fact: AnyFact, aside: Struct, unset: bytes) -> bytes:
    """Write an envelope whose fact has taken in what stands beside it, as it was before."""
    taken = [
        (name, value)
        for name in aside.__struct_fields__
        if (value := getattr(aside, name)) is not None
    ]
    for name, _ in taken:
        force_setattr(fact, name, None)
    written = _encode(envelope)
    for name, value in taken:
        force_setattr(fact, name, value)
    return written.replace(unset, b"", 1)


def _facts(envelope: Envelope, raw: bytes) -> tuple[AnyFact, ...] | None:
    """Return the facts, if each is of the stream that it names and nothing in it is in doubt."""
    facts = list[AnyFact]()
    for entry in envelope.entries:
        fact: AnyFact = entry.data  # type: ignore[attr-defined]  # Made by `_entry`.
        kind = type(fact)
        if entry.stream != fact.stream or entry.stream not in envelope.condition:
            return None
        if kind in _UNUSUAL and not _certain(kind, fact, entry, envelope, raw):
            return None
        facts.append(fact)
    return tuple(facts)


def _in_place(envelope: Envelope, partition: Partition, partitions: int) -> bool:
    topic, number = partition
    usual = topic == CAMPAIGN_RECORDS
    for stream in envelope.condition:
        place = PLACES[stream]  # As `misplaced`, and faster.
        if place is not None and place[0] % partitions == number and usual:
            continue
        if misplaced(stream, partition, partitions):
            return False
    return True


def _certain(
    kind: type[AnyFact], fact: AnyFact, entry: FactEntry, envelope: Envelope, raw: bytes
) -> bool:
    """Look at what only some kinds have; take in what stands aside. Say if nothing is in doubt."""
    # By exact type: for a struct, `isinstance` costs five times as much.
    if kind is CallRequested and fact.call_id != envelope.id:  # type: ignore[union-attr]
        return False
    if kind in _LOOSE:
        for name in _LOOSE[kind]:
            if getattr(fact, name) is not None:
                return False
    aside: Struct | None = getattr(entry, "aside", None)
    if aside is None:
        return True
    for name, quoted in _ASIDES[kind]:
        if raw.count(quoted) > 1:  # In the data too: that counts, were it null.
            return False
        if (value := getattr(aside, name)) is not None:
            force_setattr(fact, name, value)  # Nobody else has seen the fact yet.
    return True
