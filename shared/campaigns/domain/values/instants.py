"""An instant, as facts hold it and as answers spell it. Pure."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]  # With its offset; in JSON as ISO 8601 text.


def instant(at: datetime) -> str:
    """Return a time as answers and events spell it: UTC, ISO 8601 with `+00:00`.

    Source: contract 9.17.
    """
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat()
