"""The parameters of events over HTTP, and what they mean. Source: contract 11."""

from difflib import get_close_matches
from typing import Annotated

from fastapi import Header, Query
from fastapi.exceptions import RequestValidationError

from campaigns.events.cursor import START, TEXT_MAX, Cursor, CursorError, cursor
from campaigns.events.event_types import EVENT_TYPES
from campaigns.events.feed import Feed, Types
from campaigns.records.cloud_event import unversioned
from projector.feeds.event_feed import ViewFeed

NOW = "now"
LIMIT_MAX, WAIT_MAX_S = 1_000, 30
TYPES_MAX = 100


_NAMES = frozenset({*EVENT_TYPES, *map(unversioned, EVENT_TYPES)})

After = Annotated[
    str | None,
    Query(
        max_length=TEXT_MAX,
        description="A cursor: `next` of a page, or the `id` of a server-sent event. Without it:"
        " from the beginning. `now`: only what comes.",
        examples=["AQCsBgDm6g"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Of pages only.")]
Wanted = Annotated[
    list[str] | None,
    Query(
        alias="type",
        max_length=TYPES_MAX,
        description="Only events of this type, with its version or without. May be repeated.",
        examples=[["campaign-paused.v1"]],
    ),
]
WaitS = Annotated[
    int,
    Query(
        alias="wait_s", ge=0, le=WAIT_MAX_S,
        description="How long a page that would be empty waits for an event: seconds.",
    ),
]  # fmt: skip
LastEventId = Annotated[
    str | None,
    Header(
        max_length=TEXT_MAX,
        description="Of server-sent events only: go on after this `id`. Wins over `after`.",
    ),
]


def start_of(source: ViewFeed, feed: Feed, text: str | None, name: str = "after") -> Cursor:
    """Return the cursor that is named so.

    Raises:
        RequestValidationError: it is none of ours, or lies behind the log's end.

    """
    if text is None:
        return START
    if text == NOW:
        return source.end(feed)
    try:
        found = cursor(text)
        source.check(found)
    except CursorError as exc:
        where = "query" if name == "after" else "header"
        error = {"loc": (where, name), "msg": str(exc), "type": "value_error"}
        raise RequestValidationError([error]) from exc
    return found


def types_of(names: list[str] | None) -> Types:
    """Return which types are asked for.

    Raises:
        RequestValidationError: there is no such type.

    """
    for name in names or ():
        if name not in _NAMES:
            near = get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.0)[0]
            msg = f"there is no type {name[:100]!r}: the nearest is {near}"
            error = {"loc": ("query", "type"), "msg": msg, "type": "value_error"}
            raise RequestValidationError([error])
    return Types(frozenset(names or ()))
