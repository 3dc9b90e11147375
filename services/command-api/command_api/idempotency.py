"""Idempotency-Keys: a field of the record in the log, and part of the folded state.

The newest ones of each campaign are kept. A rejected command keeps none.
"""

import hashlib
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.domain.decider import Reason, Rejected
from campaigns.log.reader import Ruling
from campaigns.log.writer import Handled
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Idempotency
from campaigns.records.topics import Partition

KEY_REUSED = "Idempotency-Key was used with another request"

_TABLE = (
    "create table if not exists keys (campaign_id integer, key text, digest text not null,"
    " record_id text not null, topic text not null, number integer not null,"
    " position integer not null, primary key (campaign_id, key)) without rowid"
)


class Done(NamedTuple):
    """The record that an earlier request with the key appended."""

    digest: str  # Of the request: method, path and body.
    record_id: str
    partition: Partition
    position: int


def of_organization(organization_id: int) -> int:
    """Return under what an organization's own keys are kept, where campaigns have their ids."""
    return -organization_id


def request_digest(method: str, path: str, body: bytes) -> str:
    """Return a digest that tells requests with the same key apart, hexadecimal."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(body)
    return digest.hexdigest()


@dataclass
class IdempotencyKeys:
    """The keys of all campaigns. Their rows are written in the store's open transaction."""

    db: sqlite3.Connection
    kept_max: int
    _by_campaign: dict[int, OrderedDict[str, Done]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db.execute(_TABLE)
        rows = self.db.execute("select * from keys order by position")
        for campaign_id, key, digest, record_id, topic, number, position in rows:
            done = Done(digest, record_id, Partition(topic, number), position)
            self._by_campaign.setdefault(campaign_id, OrderedDict())[key] = done

    def fold(self, campaign_id: int, recorded: Recorded) -> None:
        """Fold the key of an accepted record, if it has one."""
        envelope = recorded.envelope
        if not isinstance(envelope, Envelope) or envelope.idempotency is None:
            return
        key, digest = envelope.idempotency.key, envelope.idempotency.digest
        kept = self._by_campaign.setdefault(campaign_id, OrderedDict())
        if key in kept:
            return  # The first one counts.
        done = Done(digest, envelope.id, recorded.partition, recorded.position)
        kept[key] = done
        self.db.execute(
            "insert or replace into keys values (?, ?, ?, ?, ?, ?, ?)",
            (campaign_id, key, digest, envelope.id, *recorded.partition, recorded.position),
        )
        while len(kept) > self.kept_max:
            oldest, _ = kept.popitem(last=False)
            self.db.execute(
                "delete from keys where (campaign_id, key) = (?, ?)", (campaign_id, oldest)
            )

    def earlier(self, campaign_id: int, given: Idempotency | None) -> Handled | Rejected | None:
        """Return the outcome of an earlier request with this key; None when there was none."""
        if given is None:
            return None
        keys = self._by_campaign.get(campaign_id)
        done = keys.get(given.key) if keys else None
        if done is None:
            return None
        if done.digest != given.digest:
            return Rejected(Reason.KEY_REUSED, KEY_REUSED)
        return Handled(Ruling(True, done.partition, done.position), done.record_id, repeated=True)
