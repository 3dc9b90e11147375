"""API keys as this service keeps them: folded, in its store, and how they are changed."""

import sqlite3
from dataclasses import dataclass, field

from campaigns.domain.api_keys import ApiKeys
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.codec import Codec
from campaigns.domain.facts import AnyOrganizationFact, ApiKeyCreated, ApiKeyRevoked
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
    """All keys of the log, in the store's open transaction, and those of the environment."""

    writer: Writer[Campaigns]
    keys: ApiKeys = field(default_factory=ApiKeys)

    def open(self, db: sqlite3.Connection) -> None:
        """Keep keys in the store from now on."""
        self._db = db
        db.execute(_TABLE)

    def restore(self) -> None:
        """Take back what the store has.

        Raises:
            StoreUnreadableError: a key cannot be read.

        """
        asked = "select hash, fact from api_keys where tag = ?"
        for hashed, stored in self._db.execute(asked, (ApiKeyCreated.TYPE,)):
            self.keys.fold(_CREATED.load(stored, f"API key {hashed[:12]}"))
        for hashed, stored in self._db.execute(asked, (ApiKeyRevoked.TYPE,)):
            self.keys.fold(_REVOKED.load(stored, f"API key {hashed[:12]}"))

    def fold(self, fact: AnyOrganizationFact) -> None:
        """Take one accepted fact in."""
        self.keys.fold(fact)
        self._db.execute(
            "insert or replace into api_keys values (?, ?, ?)",
            (fact.key_hash, fact.TYPE, fact.model_dump_json()),
        )

    async def change(self, command: ChangeKeys, origin: Origin) -> Answer:
        """Make or revoke a key. Raises: see Writer.handle."""
        return await self.writer.handle(
            decider(self.keys),
            command,
            origin,
            partition=ORGANIZATIONS,
            key=command.organization_id,
        )
