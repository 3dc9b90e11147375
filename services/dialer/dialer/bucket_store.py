"""The campaigns' token buckets in the dialer's store: saved with its checkpoint."""

from collections.abc import Collection
from datetime import datetime
from sqlite3 import Connection

from dialer.decisions.pacing import Bucket
from dialer.reactor.state import State

_SCHEMA = (
    "create table if not exists buckets"
    " (campaign_id integer primary key, tokens real not null, at text not null)"
)


def create(db: Connection) -> None:
    """Make the table, if it is not there."""
    db.execute(_SCHEMA)


def restore(db: Connection, state: State) -> None:
    """Give each campaign's queue the bucket that was saved."""
    for campaign_id, tokens, at in db.execute("select * from buckets"):
        state.queue(campaign_id).bucket = Bucket(tokens, datetime.fromisoformat(at))


def save(db: Connection, state: State, campaign_ids: Collection[int]) -> None:
    """Save the buckets of these campaigns; one that was never used is full, and is not saved."""
    db.executemany(
        "insert or replace into buckets values (?, ?, ?)",
        (
            (campaign_id, queue.bucket.tokens, str(queue.bucket.at))
            for campaign_id in campaign_ids
            if (queue := state.queue(campaign_id)).bucket.at is not None
        ),
    )
