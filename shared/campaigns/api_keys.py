"""API keys and whose they are: of the environment and of the log, by their hash. No HTTP."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from campaigns.facts import ApiKeyCreated


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    organization_id: int
    actor: str  # For the audit: "organization/7 key dg_live_ab12".


def key_hash(key: str) -> str:
    """Return what the log keeps of a key: SHA-256, hexadecimal. Keys have 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_pairs(api_keys: str) -> list[tuple[str, int]]:
    """Return the keys and organizations of `key:organization[,key:organization]`.

    Raises:
        ValueError: it is something else; the key itself is not shown.

    """
    pairs = []
    for number, pair in enumerate(filter(None, api_keys.split(",")), 1):
        key, _, organization = pair.strip().rpartition(":")
        if not key or not re.fullmatch(r"[1-9][0-9]{0,15}", organization):
            raise ValueError(f"entry {number}: expected key:organization")
        pairs.append((key, int(organization)))
    return pairs


def _readable(api_keys: SecretStr) -> SecretStr:
    key_pairs(api_keys.get_secret_value())
    return api_keys


# Read when a process starts, so that a mistake in it is said then.
KeyPairs = Annotated[SecretStr, AfterValidator(_readable)]


def key_prefix(key: str) -> str:
    """Return enough of a key to tell it from others, and too little to guess it."""
    return key[: min(12, len(key) // 3)]


@dataclass
class ApiKeys:
    """Keys by their hash: looking one up compares no secret, only digests of 256 bits."""

    callers: dict[str, Caller] = field(default_factory=dict)

    def add(self, key: str, organization_id: int) -> None:
        """Take a key of the environment."""
        actor = f"organization/{organization_id} key {key_prefix(key)}"
        self.callers[key_hash(key)] = Caller(organization_id, actor)

    def fold(self, fact: ApiKeyCreated) -> None:
        """Take a key of the log."""
        actor = f"organization/{fact.organization_id} key {fact.key_prefix}"
        self.callers[fact.key_hash] = Caller(fact.organization_id, actor)

    def configure(self, api_key: str | None, api_keys: str | None) -> None:
        """Take the keys of DIALGATE_API_KEY (organization 1) and DIALGATE_API_KEYS.

        Raises:
            ValueError: see `key_pairs`.

        """
        if api_key:
            self.add(api_key, 1)
        for key, organization_id in key_pairs(api_keys or ""):
            self.add(key, organization_id)
