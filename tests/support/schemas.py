"""What a store's schema is, as text: its tables, and the shapes of the states in its blobs."""

import re
import sqlite3
from collections.abc import Iterable
from enum import Enum
from hashlib import sha256
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

_SPACE = re.compile(r"\s+")


def tables(db: sqlite3.Connection) -> list[str]:
    """Return the statements that make a database's tables and indexes, in order."""
    found = db.execute("select sql from sqlite_master where sql is not null order by name")
    return [_SPACE.sub(" ", sql) for (sql,) in found]


def shapes(*kinds: type) -> list[str]:
    """Describe types by the names and types of their fields, and all types that these name.

    The library that a type is made with makes no difference, nor does a field's default.
    """
    found: dict[str, str] = {}
    for kind in kinds:
        _describe(kind, found)
    return [f"{name}: {text}" for name, text in sorted(found.items())]


def digest(version: int, lines: Iterable[str]) -> str:
    """Return a short digest of a schema and its version."""
    return sha256("\n".join([str(version), *lines]).encode()).hexdigest()[:16]


def _describe(kind: Any, found: dict[str, str]) -> None:  # Any: a type as it is written.
    for part in get_args(kind):
        _describe(part, found)
    if not isinstance(kind, type) or kind.__name__ in found or get_origin(kind):
        return
    if issubclass(kind, Enum):
        found[kind.__name__] = str([member.value for member in kind])
    elif _own(kind):
        found[kind.__name__] = ""  # Before its fields, which may name it again.
        fields = _fields(kind)
        found[kind.__name__] = ", ".join(f"{name}: {_text(hint)}" for name, hint in fields)
        for _, hint in fields:
            _describe(hint, found)


def _own(kind: type) -> bool:
    """Say whether a type is one of ours: its fields are part of the shape."""
    root = kind.__module__.partition(".")[0]
    return root in ("campaigns", "command_api", "dialer", "projector", __name__.partition(".")[0])


def _fields(kind: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [
        (name, hint)
        for name, hint in sorted(hints.items())
        if get_origin(hint) is not ClassVar and hint is not ClassVar and not name.startswith("_")
    ]


def _text(hint: Any) -> str:
    """Return a type as text, the parts of a union in order."""
    if isinstance(hint, type) and not get_origin(hint):
        return "datetime" if hint.__name__ == "AwareDatetime" else hint.__name__
    if parts := get_args(hint):
        name = getattr(get_origin(hint), "__name__", str(get_origin(hint)))
        texts = map(_text, parts)
        ordered = sorted(texts) if name in ("UnionType", "Union") else list(texts)
        return f"{'Union' if name == 'UnionType' else name}[{', '.join(ordered)}]"
    return str(hint)
