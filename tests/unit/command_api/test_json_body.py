"""A body that is read in steps gives what json.loads gives, and each step is short."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from command_api.http.bodies import NAMES_MAX, CreateBody, UpdateBody
from command_api.http.import_routes import ContactsBody
from command_api.http.json_body import (
    CONTACT_CHARS_MAX,
    CONTACT_VALUES_MAX,
    CONTAINERS_MAX,
    REST_CHARS_MAX,
    VALUES_MAX,
    Elements,
    TooLargeError,
    read,
)
from command_api.imports.rows import parse_contacts, variables_of
from tests.steps import HOLD_MAX_S, Holds, whole

BODY_BYTES = 2**18  # Of 10 MiB that are allowed: more of it are only more steps …
JOIN_MAX_S = 0.1  # 40 MiB of new memory, filled.
WHOLE_BYTES = 10 * 2**20  # … but for what is done with a whole body, as text.
PHONE = '{"phone_number":"5551234567"'
KINDS: tuple[type[BaseModel], ...] = (CreateBody, ContactsBody, UpdateBody)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(
    st.sampled_from(["contacts", "name", "", "\u00e9\ud800"]), JSON, max_size=4
)
SIGNS = [*'{}[]:,"\\ \n0-e.n', "\ufeff", "\x00", "\u00e9", "tru", ", ]", ",}", "\\u12", "\\ud800"]


def told(ask: Callable[[], Any]) -> str:
    """Return what comes of it: JSON, or the mistake and where it is."""
    try:
        found = ask()
    except json.JSONDecodeError as exc:
        return f"no JSON at {exc.pos}"
    except ValueError as exc:
        return type(exc).__name__
    if isinstance(found, dict) and isinstance(found.get("contacts"), Elements):
        found = found | {"contacts": list(found["contacts"])}
    return repr(found)


@given(OBJECTS | JSON, st.booleans(), st.sampled_from([None, 1]), st.data())
def test_it_is_what_json_says(shape: Any, ascii_only: bool, indent: int | None, data: Any) -> None:
    text = json.dumps(shape, ensure_ascii=ascii_only, indent=indent)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.sampled_from(["", *SIGNS])) + text[at + cut :]
    coding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"]))
    body = text.encode(coding, "surrogatepass")
    assert told(lambda: whole(read(body))) == told(lambda: json.loads(body))


def test_what_is_no_text_is_refused_alike() -> None:
    body = b'{"name": "' + b"\xff" * 10 + b'"}'
    assert told(lambda: json.loads(body)) == told(lambda: whole(read(body))) == "UnicodeDecodeError"


def test_a_body_that_is_nested_too_deep_is_refused_alike() -> None:
    for body in (b"[" * BODY_BYTES, b'{"contacts":[' + b"[" * BODY_BYTES, b'{"x":' * 100_000):
        with pytest.raises(RecursionError):
            whole(read(body))


def many(
    each: str, *, head: str = '{"contacts":[', tail: str = "]}", among: str = ",",
    size: int = BODY_BYTES,
) -> bytes:  # fmt: skip
    times = size // (len(each) + len(among))
    return (head + among.join([each] * times) + tail).encode()


def contacts(count: int, variables: int) -> bytes:
    named = {f"v{n}": "x" for n in range(variables)}
    rows = [{"phone_number": f"+1555{n:07d}", "variables": named} for n in range(count)]
    return json.dumps({"contacts": rows}).encode()


DETAILS = '{"name":"n","assistant_id":1,"campaign_type":"call",'

# By what it is: a body of some 10 MiB, or the largest that is read at once.
BODIES: dict[str, Callable[[], bytes]] = {
    "arrays": lambda: many("[]", head="[", tail="]"),
    "arrays in a field": lambda: many("[]", head=DETAILS + '"pending_import":{"a":[', tail="]}}"),
    "arrays as contacts": lambda: many("[]"),
    "objects as contacts": lambda: many("{}"),
    "numbers as contacts": lambda: many("0"),
    "texts as contacts": lambda: many('"x"'),
    "contacts of arrays": lambda: many(PHONE + ',"x":[' + ",".join(["[]"] * 9_900) + "]}"),
    "contacts of objects": lambda: many(
        PHONE + ',"variables":{"x":[' + ",".join(['{"a":{}}'] * 4_900) + "]}}"
    ),
    "contacts of texts": lambda: many(PHONE + ',"x":[' + ",".join(['""'] * 9_900) + "]}"),
    "contacts of names": lambda: many(
        PHONE + ',"variables":{' + ",".join(f'"{n}":0' for n in range(9_900)) + "}}"
    ),
    "contacts of blanks": lambda: many('{"phone_number":"' + "\\u200b" * 20_000 + '"}'),
    "contacts of letters": lambda: many('{"phone_number":"' + "\u2460" * 40_000 + '"}'),
    "contacts of spaces": lambda: many('{"phone_number":"' + " -" * 60_000 + '"}'),
    "good contacts": lambda: contacts(2_000, 5),
    "contacts of many variables": lambda: contacts(900, 95),
    "a contact of arrays": lambda: many("[]", head='{"contacts":[{"x":[', tail="]}]}"),
    "a text": lambda: many("x" * 1000, head='{"x":"', tail='"}', among=""),
    "a text of escapes": lambda: many("\\\\" * 500, head='{"x":"', tail='"}', among=""),
    "a text without an end": lambda: many("x" * 1000, head='{"x":"', tail="", among=""),
    "a number": lambda: many("1" * 1000, head='{"x":', tail="}", among=""),
    "white space": lambda: many(" " * 1000, head="{", tail="}", among="", size=WHOLE_BYTES),
    "white space in contacts": lambda: many(PHONE + "}" + " \n" * 5_000),
    "fields": lambda: many('"x":0', head="{", tail="}"),
    "fields of arrays": lambda: many('"x":[[]]', head="{", tail="}"),
    "a wide text": lambda: many("\U0001f600" * 500, head='{"x":"', tail='"}', among=""),
    "deep": lambda: many("[" * 900 + "]" * 900, head='{"contacts":[', tail="]}"),
    "names that are none": lambda: (
        DETAILS + '"available_variables":[' + ",".join(["0"] * 30_000) + "]}"
    ).encode(),
    "mappings that are none": lambda: (
        DETAILS + '"fallback_values":{' + ",".join(f'"{n}":0' for n in range(20_000)) + "}}"
    ).encode(),
    "what is left, full of arrays": lambda: (
        DETAILS + '"pending_import":{"x":[' + ",".join(["[]"] * (CONTAINERS_MAX - 4)) + "]}}"
    ).encode(),
    "what is left, full of texts": lambda: (
        DETAILS + '"pending_import":{"x":[' + ",".join(['""'] * 32_000) + "]}}"
    ).encode(),
    "what is left, full of numbers": lambda: (
        DETAILS + '"pending_import":{"x":[' + ",".join(["0"] * 32_000) + "]}}"
    ).encode(),
    "what is left, of escapes": lambda: (
        DETAILS + '"pending_import":{"x":"' + "\\u00e9" * 90_000 + '"}}'
    ).encode(),
    "a small body of arrays": lambda: (
        DETAILS + '"pending_import":{"x":[' + ",".join(["[]"] * 21_000) + "]}}"
    ).encode(),
}


@pytest.mark.parametrize("what", BODIES)
def test_no_step_is_long(what: str) -> None:
    """Reading, what the fields say of it, and each contact: all that is done between two turns."""
    body, holds = BODIES[what](), Holds()
    try:
        found = holds.of(read(body))
    except (ValueError, RecursionError) as exc:
        print(f"{what}: {type(exc).__name__} {str(exc)[:80]}, {holds.most_s * 1000:.1f} ms")
        assert holds.most_s < HOLD_MAX_S
        return
    for kind in KINDS:
        with suppress(ValidationError), holds.one():
            kind.model_validate(found)
    given, reading_s = found.get("contacts", []) if isinstance(found, dict) else [], holds.most_s
    with suppress(RequestValidationError):
        holds.of(variables_of(holds.of(parse_contacts(given))))
    print(f"{what}: {reading_s * 1000:.1f} ms, {holds.most_s * 1000:.1f} ms")
    assert holds.most_s < HOLD_MAX_S


def test_a_body_becomes_one_text_at_once() -> None:
    """The one call that is not cut: a sign of four bytes makes each character of the text so."""
    body, holds = b'{"x":"\xf0\x9f\x98\x80' + b"x" * WHOLE_BYTES + b'"}', Holds()
    with pytest.raises(TooLargeError):
        holds.of(read(body))
    assert holds.most_s < JOIN_MAX_S


def test_mistakes_are_bounded() -> None:
    names = {str(n): 0 for n in range(NAMES_MAX)}
    with pytest.raises(ValidationError) as many:
        UpdateBody.model_validate({"fallback_values": names, "available_variables": [0] * 60_000})
    assert many.value.error_count() == NAMES_MAX + 1


def test_what_is_too_large_is_named() -> None:
    """Each limit: just within it, and one more."""
    for name, make in LIMITS.items():
        at, loc = name
        whole(read(make(0)))
        with pytest.raises(TooLargeError) as no:
            whole(read(make(1)))
        assert no.value.loc == loc, at


def _array(count: int, each: str) -> str:
    return "[" + ",".join([each] * count) + "]"


LIMITS: dict[tuple[str, tuple[str | int, ...]], Callable[[int], bytes]] = {
    ("characters", ()): lambda more: b'{"x":"%s"}' % (b"y" * (REST_CHARS_MAX - 5 + more)),
    ("arrays", ()): lambda more: b'{"x":%s}' % _array(CONTAINERS_MAX - 1 + more, "[]").encode(),
    ("values", ()): lambda more: b'{"x":%s}' % _array(VALUES_MAX + 1 + more, "0").encode(),
    ("a contact's characters", ("contacts", 1)): lambda more: (
        b'{"contacts":[0,"%s"]}' % (b"y" * (CONTACT_CHARS_MAX - 2 + more))
    ),
    ("a contact's arrays", ("contacts", 0)): lambda more: (
        b'{"contacts":[%s]}' % _array(CONTACT_VALUES_MAX - 1 + more, "[]").encode()
    ),
}
