"""The API keys of this service: folded, kept in its store, and changed through its writer."""

import sqlite3
from dataclasses import dataclass, field

from campaigns.domain.api_keys import ApiKeys
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.codec import Codec
from campaigns.domain.facts import AnyKeyFact, ApiKeyCreated, ApiKeyRevoked
from campaigns.log.writer import Answer, Origin, Writer
from campaigns.records.topics import ORGANIZATIONS
from command_api.keys.key_changes import ChangeKeys, decider

_TABLE = (
    "create table if not exists api_keys (hash text, tag text, fact text not null,"
    " primary key (hash, tag)) without rowid"
)
_CREATED, _REVOKED = Codec(ApiKeyCreated), Codec(ApiKeyRevoked)


@dataclass
class Keyring:
    """All keys of the log, kept in the store's open transaction, and those of the environment."""

    writer: Writer[Campaigns]
    keys: ApiKeys = field(default_factory=ApiKeys)

    def open(self, db: sqlite3.Connection) -> None:
        """Use a store."""
        self._db = db
        db.execute(_TABLE)

    def restore(self) -> None:
        """Restore what the store holds.

        Raises:
            StoreUnreadableError: a key cannot be read.

        """
        query = "select hash, fact from api_keys where tag = ?"
        for hashed, stored in self._db.execute(query, (ApiKeyCreated.TYPE,)):
            self.keys.fold(_CREATED.load(stored, f"API key {hashed[:12]}"))
        for hashed, stored in self._db.execute(query, (ApiKeyRevoked.TYPE,)):
            self.keys.fold(_REVOKED.load(stored, f"API key {hashed[:12]}"))

    def fold(self, fact: AnyKeyFact) -> None:
        """Fold one accepted fact."""
        self.keys.fold(fact)
        self._db.execute(
            "insert or replace into api_keys values (?, ?, ?)",
            (fact.key_hash, fact.TYPE, fact.as_json().decode()),
        )

    async def change(self, command: ChangeKeys, origin: Origin) -> Answer:
        """Create or revoke a key. Raises: see Writer.handle."""
        return await self.writer.handle(
            decider(self.keys),
            command,
            origin,
            partition=ORGANIZATIONS,
            key=command.organization_id,
        )
