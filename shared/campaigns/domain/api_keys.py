"""API keys and their owners, from the environment and the log, by hash. No HTTP."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from campaigns.domain.facts import AnyKeyFact, ApiKeyCreated, ApiKeyRevoked, Scope

KEY_CHARS_MIN = 16  # Of a key in the environment; the keys that we make have 51.
KEY_CHARS_MIN_LOOPBACK = 6  # Where only users of this machine can connect.
KEY_KINDS_MIN = 4  # Different characters in it.
_SENDABLE = re.compile(r"[!-~]+", re.ASCII)
ID_CHARS = 16  # Of the hash: enough to name a key, and no help in guessing 256 random bits.


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, who makes a request."""

    organization_id: int
    actor: str  # For the audit: see `actor_of`.
    key_hash: str = ""
    scope: Scope = Scope.ADMIN
    rate_per_minute: int | None = None  # None: the installation's own limit.


def key_hash(key: str) -> str:
    """Return what the log keeps of a key: SHA-256, hexadecimal. Keys have 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_id(hashed: str) -> str:
    """Return the public name of a key."""
    return hashed[:ID_CHARS]


def actor_of(organization_id: int, hashed: str) -> str:
    """Return the caller's name in the log, which contains nothing of the key itself."""
    return f"organization/{organization_id} key {key_id(hashed)}"


def key_pairs(api_keys: str) -> list[tuple[str, int]]:
    """Return the keys and organizations of `key:organization[,key:organization]`.

    Raises:
        ValueError: it has another form; the error does not show the key.

    """
    pairs = []
    for number, pair in enumerate(filter(None, api_keys.split(",")), 1):
        key, _, organization = pair.strip().rpartition(":")
        if not key or not re.fullmatch(r"[1-9][0-9]{0,15}", organization):
            raise ValueError(f"entry {number}: expected key:organization")
        pairs.append((key, int(organization)))
    return pairs


def weaknesses(api_key: str | None, api_keys: str | None, chars_min: int) -> list[str]:
    """Return a sentence for each weak or repeated key in the environment, without showing the key.

    A key that is there twice belongs to two organizations, or is a mistake: it cannot be told.
    """
    seen: dict[str, str] = {}
    sentences = []
    given = [("DIALGATE_API_KEY", api_key)] if api_key else []
    for number, (key, _) in enumerate(key_pairs(api_keys or ""), 1):
        given.append((f"DIALGATE_API_KEYS: entry {number}", key))
    for where, key in given:
        if len(key) < chars_min:
            sentences.append(f"{where}: expected a key of at least {chars_min} characters")
        elif len(set(key)) < KEY_KINDS_MIN:
            sentences.append(f"{where}: expected at least {KEY_KINDS_MIN} different characters")
        elif not _SENDABLE.fullmatch(key):
            sentences.append(f"{where}: expected printable ASCII without spaces, for a header")
        if key in seen:
            sentences.append(f"{where}: it is the same key as {seen[key]}")
        seen.setdefault(key, where)
    return sentences


def _readable(api_keys: SecretStr) -> SecretStr:
    key_pairs(api_keys.get_secret_value())
    return api_keys


# Read when a process starts, so that a mistake in it is reported then.
KeyPairs = Annotated[SecretStr, AfterValidator(_readable)]


def key_prefix(key: str) -> str:
    """Return enough of a key to tell it from others, but too little to guess it."""
    return key[: min(12, len(key) // 3)]


@dataclass
class ApiKeys:
    """Keys by their hash: a look-up compares no secrets, only digests of 256 bits."""

    callers: dict[str, Caller] = field(default_factory=dict)  # Those whose keys are valid.
    created: dict[str, ApiKeyCreated] = field(
        default_factory=dict
    )  # From the log, revoked ones included.
    revoked_at: dict[str, datetime] = field(default_factory=dict)
    _configured: set[str] = field(
        default_factory=set
    )  # From the environment: nothing revokes them.

    def add(self, key: str, organization_id: int) -> None:
        """Add a key from the environment: it has every scope."""
        hashed = key_hash(key)
        actor = actor_of(organization_id, hashed)
        self.callers[hashed] = Caller(organization_id, actor, hashed)
        self._configured.add(hashed)

    def fold(self, fact: AnyKeyFact) -> None:
        """Fold a fact about a key. A revoked key stays revoked."""
        hashed = fact.key_hash
        match fact:
            case ApiKeyCreated():
                if hashed in self.created:
                    return
                self.created[hashed] = fact
                if hashed not in self._configured:
                    actor = actor_of(fact.organization_id, hashed)
                    self.callers[hashed] = Caller(
                        fact.organization_id, actor, hashed, fact.scope, fact.rate_per_minute
                    )
            case ApiKeyRevoked():
                known = self.created.get(hashed)
                if known is None or known.organization_id != fact.organization_id:
                    return
                self.revoked_at.setdefault(hashed, fact.revoked_at)
                if hashed not in self._configured:
                    self.callers.pop(hashed, None)

    def of(self, organization_id: int) -> list[ApiKeyCreated]:
        """Return an organization's keys from the log, newest first."""
        own = [one for one in self.created.values() if one.organization_id == organization_id]
        return sorted(own, key=lambda one: one.created_at, reverse=True)

    def named(self, organization_id: int, key: str) -> ApiKeyCreated | None:
        """Return an organization's key by its public name."""
        return next((one for one in self.of(organization_id) if key_id(one.key_hash) == key), None)

    def configure(self, api_key: str | None, api_keys: str | None) -> None:
        """Add the keys of DIALGATE_API_KEY (organization 1) and DIALGATE_API_KEYS.

        Raises:
            ValueError: see `key_pairs`.

        """
        if api_key:
            self.add(api_key, 1)
        for key, organization_id in key_pairs(api_keys or ""):
            self.add(key, organization_id)
