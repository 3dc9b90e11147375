"""API keys: created, shown once, kept by their hash alone; revoked for good. No HTTP."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.api_keys import ApiKeys, key_hash, key_prefix
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import ApiKeyCreated, ApiKeyRevoked, Scope
from campaigns.domain.values.stream_names import organization_stream
from campaigns.log.writer import Origin, Writer
from campaigns.process.errors import OperatingError
from campaigns.records.topics import ORGANIZATIONS

logger = logging.getLogger(__name__)

FIRST_ORGANIZATION = 1
_AGAIN_S = 1.0
NAME_UNUSABLE = "a name has no control characters, nor such as turn the direction of a text"
KEYS_MAX = 1_000  # Of one organization, revoked ones included: every service holds them all.


def new_key() -> str:
    """Return a key of 256 random bits, in characters that need no escaping in a URL."""
    return f"dg_live_{secrets.token_urlsafe(32)}"


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Create a key."""

    organization_id: int
    key: str  # The secret: only its hash is recorded.
    now: datetime
    name: str | None = None
    scope: Scope = Scope.ADMIN
    rate_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Revoke a key."""

    organization_id: int
    key_id: str
    now: datetime


def created(command: CreateKey) -> ApiKeyCreated:
    """Return the fact of a new key."""
    return ApiKeyCreated(
        organization_id=command.organization_id,
        key_hash=key_hash(command.key),
        key_prefix=key_prefix(command.key),
        name=command.name,
        scope=command.scope,
        rate_per_minute=command.rate_per_minute,
        created_at=command.now,
    )


def decide_create(keys: ApiKeys, command: CreateKey) -> Decision:
    """Create the key, unless the organization has too many."""
    if len(keys.of(command.organization_id)) >= KEYS_MAX:
        return Rejected(Reason.TOO_MANY_KEYS, f"There are {KEYS_MAX} keys already")
    return (created(command),)


def decide_revoke(keys: ApiKeys, command: RevokeKey) -> Decision:
    """Revoke the key; unchanged when it is revoked already."""
    found = keys.named(command.organization_id, command.key_id)
    if found is None:
        return Rejected(Reason.UNKNOWN_KEY, "Key not found")
    if found.key_hash in keys.revoked_at:
        return UNCHANGED
    return (
        ApiKeyRevoked(
            organization_id=command.organization_id,
            key_hash=found.key_hash,
            revoked_at=command.now,
        ),
    )


ChangeKeys = CreateKey | RevokeKey


def decide(keys: ApiKeys, command: ChangeKeys) -> Decision:
    """Create a key, or revoke one."""
    match command:
        case CreateKey():
            return decide_create(keys, command)
        case RevokeKey():
            return decide_revoke(keys, command)


def decider(keys: ApiKeys) -> Decider[Campaigns, ChangeKeys, ApiKeys]:
    """Return the decider for an instance that has folded these keys."""
    return Decider(
        streams=lambda command: (organization_stream(command.organization_id),),
        read=lambda _folded, _command: keys,
        decide=decide,
    )


async def ensure_key(
    writer: Writer[Campaigns], keys: ApiKeys, show: Callable[[str], None], catch_up_s: float
) -> None:
    """Create organization 1's first key unless any key is known, and show it once.

    Two instances may try at once: one wins, and the other shows nothing.

    Raises:
        LogUnavailableError, NotFreshError, OutcomeUnknownError: try again.

    """
    await writer.reader.catch_up([ORGANIZATIONS], within_s=catch_up_s)
    if keys.callers or keys.created:
        return
    key = new_key()
    fact = created(CreateKey(FIRST_ORGANIZATION, key, writer.clock.now()))
    stream = organization_stream(FIRST_ORGANIZATION)
    record = writer.record((fact,), {stream: 0}, Origin("command-api", "first key"))
    ruling = await writer.append(ORGANIZATIONS, record, FIRST_ORGANIZATION)
    if ruling.accepted:
        show(key)


async def ensure_some_key(
    writer: Writer[Campaigns], keys: ApiKeys, show: Callable[[str], None], catch_up_s: float
) -> None:
    """Ensure a key, however long the log is away, or a copy; a reason is told once."""
    told = ""
    while True:
        try:
            await ensure_key(writer, keys, show, catch_up_s)
            return
        except OperatingError as exc:
            if (reason := str(exc)) != told:
                logger.warning("no API key could be made yet: %s", reason)
                told = reason
            await asyncio.sleep(_AGAIN_S)
