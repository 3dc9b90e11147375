"""A store's JSON: whatever was written can be read, and what cannot be is said by name."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from campaigns.domain.campaign import Campaign, dump, load
from campaigns.domain.carrier_refusals import Unplaced
from campaigns.domain.codec import StructCodec
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import Disposition
from campaigns.process.errors import StoreUnreadableError
from projector.projections.changes import Execution
from tests.support.journal import Journal

DEEPEST = 249  # Levels in `pending_import` that builds before this one have let into a log.


def nested(depth: int, *, lists: bool) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = [found] if lists else {"a": found}
    return found


def created(pending_import: dict[str, object]) -> Campaign:
    """Return a campaign as it is folded from a record with this in it."""
    journal = Journal()
    fact = replace(journal.create(contacts=0).facts[0], pending_import=pending_import)
    campaign = evolve(None, fact, 1)  # type: ignore[arg-type]  # A CampaignCreated.
    assert campaign is not None
    return campaign


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("depth", [1, 32, 198, 199, 230, DEEPEST])
def test_what_any_build_let_into_a_log_can_be_stored_and_read(depth: int, lists: bool) -> None:
    """pydantic writes 254 levels, and its own parser reads about 200: each start then failed."""
    campaign = created({"a": nested(depth, lists=lists)})
    assert load(dump(campaign), 1) == campaign


def test_talk_without_end_is_stored_and_read() -> None:
    """Two durations of 1e308 came to infinity, which JSON has not: the store had null for it."""
    campaign = created({})
    journal = Journal()
    journal.create(contacts=2)
    journal.start()
    for contact_id in (1, 2):
        journal.call(contact_id)
    for recorded in journal.records[1:]:
        for fact in recorded.facts:
            much = {"duration_s": 1e308} if hasattr(fact, "duration_s") else {}
            evolve(campaign, replace(fact, **much), recorded.position)  # type: ignore[arg-type]
    assert campaign.ended == 2
    assert load(dump(campaign), 1).talk_s == campaign.talk_s > 1e308


@pytest.mark.parametrize(
    "stored", [b"", b"{", b"[]", b"null", b"\xff", b'{"created": null}', b"[" * 5000, b"NaN"]
)
def test_what_nobody_of_us_wrote_is_said_by_name(stored: bytes) -> None:
    with pytest.raises(StoreUnreadableError, match="campaign 7 cannot be read from its store"):
        load(stored, 7)


NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, UTC)
ELSEWHERE = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=5, minutes=45)))


@pytest.mark.parametrize(
    "one",
    [
        Contact(1),
        Contact(
            2, ContactStatus.NO_ANSWER, 3, "c" * 32, Disposition.NO_ANSWER, NOON, ELSEWHERE, NOON,
            1e308, "\x00 \U0001f600", Unplaced(NOON, 2, 1), 4, True,
        ),
        Execution(1, 2, "c", 1, 1, "failed", NOON),
        Execution(1, 2, "c", 1, 1, "busy", NOON, ELSEWHERE, 0.25, "outcome unknown", NOON),
    ],
    ids=lambda one: f"{type(one).__name__} {one.contact_id}",
)  # fmt: skip
def test_a_flat_struct_is_read_as_it_was_written(one: Contact | Execution) -> None:
    codec: StructCodec[Any] = StructCodec(type(one))
    assert codec.load(codec.dump(one)) == one
    assert codec.load(codec.dump(one).decode()) == one


@pytest.mark.parametrize(
    "stored",
    [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"contact_id":"1"}', b"[" * 5000, b"NaN",
     b'{"contact_id":1,"x":' + b"[" * 5000],
)  # fmt: skip
def test_a_struct_that_nobody_of_us_wrote_is_said_by_name(stored: bytes) -> None:
    with pytest.raises(StoreUnreadableError, match="contact 7 cannot be read from its store"):
        StructCodec(Contact).load(stored, "contact 7")


def test_equal_states_have_equal_bytes() -> None:
    one, other = created({}), created({})
    for campaign, contacts in ((one, (3, 11)), (other, (11, 3))):
        for contact_id in contacts:  # 3 and 11 collide in a set's table: it keeps their order.
            campaign.late.add(contact_id)
    assert one.late == other.late
    assert dump(one) == dump(other)
    assert load(dump(one), one.campaign_id).late == {3, 11}
