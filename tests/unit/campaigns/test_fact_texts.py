"""Each fact has a text, and no text names a person or steers a terminal unless asked to."""

from typing import Any

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from campaigns.audit.masks import HIDDEN, masked, masked_number, masked_text
from campaigns.audit.stories.fact_texts import WHY_ABANDONED, text_of
from campaigns.audit.stories.phrases import TEXT_CHARS_MAX, lasted
from campaigns.domain.facts import (
    FACTS,
    TAGS,
    Abandonment,
    AnyFact,
    CallEnded,
    CallLate,
    CampaignPaused,
    ContactsAdded,
    ImportCompleted,
    ImportFailed,
)
from campaigns.domain.values.rows import Row, RowError
from campaigns.testing.sample_records import NOON
from tests.contract.test_samples import sample

HOSTILE = "\x1b[2J\x9b31m\u202e\u200bboss\n2026  dialer  forged\r"
PERSON = ("+14155550100", "4155550100", "Ada", "ada@example.org", "Zürich")


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_fact_has_a_text_of_one_line(tag: str) -> None:
    for reveal in (False, True):
        text = text_of(sample(tag), reveal=reveal)
        assert text.isprintable()
        assert text.endswith(".")
        assert "None" not in text
        assert text[0].isupper()


def test_no_two_kinds_of_facts_say_the_same() -> None:
    texts = [text_of(sample(tag)) for tag in TAGS]
    assert len(set(texts)) == len(FACTS)


def test_every_reason_of_an_abandonment_is_told() -> None:
    assert WHY_ABANDONED.keys() == set(Abandonment)


def filled(kind: Any, text: str) -> Any:  # Any: a type's declaration; what fits it.
    """Return a value of a type with this text in every text of it."""
    match kind:
        case msgspec.inspect.StrType(pattern=None):
            return text
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{one.name: filled(one.type, text) for one in fields})
        case msgspec.inspect.VarTupleType(item_type=inner):
            return (filled(inner, text),)
        case msgspec.inspect.DictType():
            return {text: text}
        case msgspec.inspect.UnionType(types=types):
            return filled(next(one for one in types if type(one).__name__ != "NoneType"), text)
        case msgspec.inspect.StrType():
            return "09:30"
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls))
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.FloatType():
            return 1.0
        case msgspec.inspect.DateTimeType():
            return NOON
        case msgspec.inspect.DateType():
            return NOON.date()
        case _:
            return 1


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TYPE)
def test_no_text_in_any_field_of_any_fact_steers_a_terminal(fact: type[AnyFact]) -> None:
    hostile = filled(msgspec.inspect.type_info(fact), HOSTILE)
    for reveal in (False, True):
        assert text_of(hostile, reveal=reveal).isprintable()


def test_a_text_is_bounded_whatever_a_stranger_wrote() -> None:
    fact = CampaignPaused(campaign_id=1, reason="x" * 200_000, paused_at=NOON)
    assert len(text_of(fact)) == TEXT_CHARS_MAX + 1
    assert text_of(replace(fact, reason="lunch")) == "Paused: lunch."


def personal(kind: Any) -> bool:
    """Say whether a declaration holds a row, or a row's error."""
    match kind:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls in (Row, RowError) or any(personal(one.type) for one in fields)
        case msgspec.inspect.VarTupleType(item_type=inner):
            return personal(inner)
        case msgspec.inspect.UnionType(types=types):
            return any(map(personal, types))
        case _:
            return False


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TYPE)
def test_a_row_in_any_fact_is_masked(fact: type[AnyFact]) -> None:
    """Of every fact there will be, too: this fails when a field with rows is not masked."""
    data = orjson.loads(filled(msgspec.inspect.type_info(fact), PERSON[0]).as_json())
    shown = masked(fact.TYPE, data)
    fields = msgspec.inspect.type_info(fact).fields  # type: ignore[attr-defined]  # A struct's.
    for one in (one.name for one in fields if personal(one.type)):
        assert PERSON[1] not in orjson.dumps(shown[one]).decode()
        assert PERSON[1] in orjson.dumps(data[one]).decode(), "the data itself stays"


def test_contacts_are_masked_unless_they_are_revealed() -> None:
    fact = sample(ContactsAdded.TYPE)
    shown = masked(fact.TYPE, orjson.loads(fact.as_json()))
    for text in (orjson.dumps(shown).decode(), text_of(fact)):
        assert not [one for one in PERSON if one in text], text
    assert shown["rows"][0] == {
        "phone_number": f"{HIDDEN}00", "name": HIDDEN, "email": HIDDEN, "variables": HIDDEN,
    }  # fmt: skip
    assert shown["rows"][1] == {
        "phone_number": f"{HIDDEN}01", "name": None, "email": None, "variables": {},
    }  # fmt: skip
    assert "+14155550100 Ada" in text_of(fact, reveal=True)


@pytest.mark.parametrize(
    ("kind", "name"), [(CallEnded, "error"), (CallLate, "detail"), (ImportFailed, "reason")]
)
def test_what_a_carrier_or_a_file_says_shows_no_number(kind: type[AnyFact], name: str) -> None:
    said = "no route to +1 (415) 555-0100 for ada@example.org at 2026-03-01T12:00:00.123456Z"
    fact = replace(sample(kind.TYPE), **{name: said})
    shown = masked(fact.TYPE, orjson.loads(fact.as_json()))[name]
    assert shown == "no route to …00 for … at 2026-03-01T12:00:00.123456Z"
    assert "555" not in text_of(fact)
    assert "555-0100" in text_of(fact, reveal=True)


def test_a_row_that_a_file_got_wrong_shows_no_number() -> None:
    data = orjson.loads(sample(ImportCompleted.TYPE).as_json())
    data["errors"] = [{"line": 4, "reason": "'4155550100x' is no phone number"}]
    assert masked(ImportCompleted.TYPE, data)["errors"][0]["reason"] == "'…00x' is no phone number"


def test_what_is_not_as_agreed_is_hidden() -> None:
    for rows in (7, PERSON[0], {"phone_number": PERSON[0]}, [PERSON[0], {"phone_number": 7}]):
        shown = masked(ContactsAdded.TYPE, {"rows": rows})
        assert PERSON[1] not in orjson.dumps(shown).decode()
    later = masked("contacts-added.v9", {"campaign_id": 1, "people": [PERSON[0]]})
    assert later == {"campaign_id": 1, "people": HIDDEN}
    plain = {"campaign_id": 1, "reason": None}
    assert masked(CampaignPaused.TYPE, plain) is plain


def test_short_numbers_show_nothing() -> None:
    assert masked_number("+1415") == HIDDEN
    assert masked_text("code 503 after 12 s, 4 of 9") == "code 503 after 12 s, 4 of 9"


def test_durations_are_told_as_people_do() -> None:
    told = {0.04: "0.0 s", 59.94: "59.9 s", 60: "1 min 0 s", 3725: "1 h 2 min", 187_200: "2 d 4 h"}
    assert {seconds: lasted(seconds) for seconds in told} == told
