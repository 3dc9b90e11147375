"""The first API key: made when there is none, shown once, kept by its hash alone."""

import secrets
from collections.abc import Callable
from datetime import datetime

from campaigns.api_keys import ApiKeys, key_hash, key_prefix
from campaigns.facts import ApiKeyCreated, organization_stream
from campaigns.folding import Campaigns
from campaigns.handling import Origin, Writer
from campaigns.topics import ORGANIZATIONS

FIRST_ORGANIZATION = 1


def new_key() -> str:
    """Return a key of 256 random bits, of characters that need no escaping in a URL."""
    return f"dg_live_{secrets.token_urlsafe(32)}"


def created(key: str, organization_id: int, now: datetime) -> ApiKeyCreated:
    """Return the fact of a key."""
    return ApiKeyCreated(
        organization_id=organization_id,
        key_hash=key_hash(key),
        key_prefix=key_prefix(key),
        created_at=now,
    )


async def ensure_key(
    writer: Writer[Campaigns], keys: ApiKeys, show: Callable[[str], None], catch_up_s: float
) -> None:
    """Make organization 1's first key unless any key is known, and show it once.

    Two instances may try at once: one wins, the other shows nothing.

    Raises:
        LogUnavailableError, NotFreshError, OutcomeUnknownError: try again.

    """
    await writer.reader.catch_up([ORGANIZATIONS], within_s=catch_up_s)
    if keys.callers:
        return
    key = new_key()
    fact = created(key, FIRST_ORGANIZATION, writer.clock.now())
    stream = organization_stream(FIRST_ORGANIZATION)
    record = writer.record((fact,), {stream: 0}, Origin("command-api", "first key"))
    ruling = await writer.append(ORGANIZATIONS, record, FIRST_ORGANIZATION)
    if ruling.accepted:
        show(key)
