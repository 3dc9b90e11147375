"""Idempotency-Keys as they are folded and kept, by example."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CampaignPaused
from campaigns.log.writer import Handled
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Idempotency, Record
from campaigns.testing.sample_records import FIRST, NOON
from command_api.idempotency import IdempotencyKeys, request_digest


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield db


def keyed(key: str | None, digest: str = "digest", *, position: int = 1) -> Recorded:
    fact = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)
    given = Idempotency(key, digest) if key is not None else None
    record = Record(
        uuid4().hex, NOON, "test", "test", "test", None, {fact.stream: 0}, (fact,), given
    )
    return Recorded(FIRST, position, record.encode(), 1)


def test_a_digest_tells_method_path_and_body_apart() -> None:
    one = request_digest("POST", "/a", b"{}")
    assert one == request_digest("POST", "/a", b"{}")
    others = [("PUT", "/a", b"{}"), ("POST", "/b", b"{}"), ("POST", "/a", b"")]
    assert len({one, *(request_digest(*other) for other in others)}) == 4


def test_without_a_key_or_an_earlier_try_there_is_nothing_to_find(db: sqlite3.Connection) -> None:
    keys = IdempotencyKeys(db, 10)
    keys.fold(1, keyed(None))
    assert keys.earlier(1, None) is None
    assert keys.earlier(1, Idempotency("k", "digest")) is None


def test_an_earlier_try_is_found_with_where_it_stands(db: sqlite3.Connection) -> None:
    keys, recorded = IdempotencyKeys(db, 10), keyed("k", position=5)
    keys.fold(1, recorded)
    found = keys.earlier(1, Idempotency("k", "digest"))
    assert isinstance(found, Handled)
    assert found.repeated
    assert (found.ruling.accepted, found.ruling.at) == (True, "0@5")
    assert found.record_id == recorded.envelope.id  # type: ignore[union-attr]  # No foreign one.
    assert keys.earlier(2, Idempotency("k", "digest")) is None, "a key belongs to its campaign"


def test_another_request_under_the_key_is_rejected(db: sqlite3.Connection) -> None:
    keys = IdempotencyKeys(db, 10)
    keys.fold(1, keyed("k", "one"))
    found = keys.earlier(1, Idempotency("k", "other"))
    assert isinstance(found, Rejected)
    assert found.reason is Reason.KEY_REUSED


def test_the_first_use_of_a_key_counts(db: sqlite3.Connection) -> None:
    keys = IdempotencyKeys(db, 10)
    keys.fold(1, keyed("k", position=1))
    keys.fold(1, keyed("k", "other", position=2))
    found = keys.earlier(1, Idempotency("k", "digest"))
    assert isinstance(found, Handled)
    assert found.ruling.position == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_the_last_keys_of_each_campaign_are_kept_across_a_restart(
    db: sqlite3.Connection, restarted: bool
) -> None:
    keys = IdempotencyKeys(db, 3)
    for number in range(1, 6):
        keys.fold(1, keyed(f"k{number}", position=number))
    keys.fold(2, keyed("k1", position=6))
    if restarted:
        keys = IdempotencyKeys(db, 3)
    kept = [n for n in range(1, 6) if keys.earlier(1, Idempotency(f"k{n}", "digest"))]
    assert kept == [3, 4, 5]
    assert keys.earlier(2, Idempotency("k1", "digest"))
    keys.fold(1, keyed("k6", position=7))
    assert keys.earlier(1, Idempotency("k3", "digest")) is None, "the oldest goes first"
    assert keys.earlier(1, Idempotency("k4", "digest"))
