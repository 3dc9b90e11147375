"""How deeply a request's JSON may be nested: far less than readers of the log accept. Pure."""

from collections.abc import Iterable

JSON_DEPTH_MAX = 32  # Levels of objects and arrays. Source: ADR-0021.


def deeper(given: object, most: int) -> bool:
    """Say whether JSON is nested more than `most` levels deep; a text or number has no level."""
    level = [given] if isinstance(given, dict | list) else []
    for _ in range(most):
        level = [
            inner for outer in level for inner in _members(outer) if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return bool(level)


def _members(outer: object) -> Iterable[object]:
    if isinstance(outer, dict):
        return outer.values()
    assert isinstance(outer, list), "only objects and arrays have members"
    return outer
