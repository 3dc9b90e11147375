"""What is handed to a log comes back as it was meant, or is not handed over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from math import inf, nan
from pathlib import Path

import orjson
import pytest
from msgspec import structs
from msgspec.structs import asdict
from pydantic import ValidationError

from campaigns.domain.facts import (
    TAGS,
    AnyFact,
    CallEnded,
    CallRequested,
    CampaignPaused,
    ContactsAdded,
    Disposition,
)
from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import UnreadableRecordError
from campaigns.records.entry import entry
from campaigns.records.record import RECORD_BYTES_MAX, VERSION_MAX, Idempotency, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, INSTALLATION, ORGANIZATIONS, Partition
from campaigns.testing.sample_records import NOON, offered

PARTITIONS = 12
PARTITION = Partition(CAMPAIGN_RECORDS, 42 % PARTITIONS)
SAMPLES = Path(__file__).parents[2] / "contract" / "samples"


def sample(tag: str) -> AnyFact:
    return TAGS[tag].validated(orjson.loads((SAMPLES / f"{tag}.json").read_bytes()))


def made(record: Record) -> bytes | None:
    return entry(record, PARTITION, PARTITIONS).raw


PAUSED = CampaignPaused(campaign_id=42, reason="lunch", paused_at=NOON)
GOOD = offered(PAUSED)
CREATED = sample("campaign-created.v1")
ENDED = CallEnded(
    campaign_id=42, contact_id=7, call_id="c", run=1, attempt=1,
    disposition=Disposition.ANSWERED, duration_s=3.5, error=None, retry_at=None, ended_at=NOON,
)  # fmt: skip


def of(fact: AnyFact, **changes: object) -> Record:
    """A record of a fact that was changed past all validation."""
    return offered(structs.replace(fact, **changes))


UNREADABLE: dict[str, Callable[[], Record]] = {
    "a duration without end": lambda: of(ENDED, duration_s=inf),
    "a duration that is no number": lambda: of(ENDED, duration_s=nan),
    "a negative duration": lambda: of(ENDED, duration_s=-1.0),
    "a permission that holds for ever": lambda: of(
        sample("call-requested.v1"), carrier_timeout_s=inf
    ),
    "an attempt that is none": lambda: of(ENDED, attempt=0),
    "text that is no Unicode, in a fact": lambda: of(ENDED, error="a \ud800"),
    "text that is no Unicode, in the envelope": lambda: replace(GOOD, actor="\udfff"),
    "text that is no Unicode, in a key": lambda: replace(
        GOOD, idempotency=Idempotency("\ud800", "d")
    ),
    "a text that is too long": lambda: of(ENDED, error="x" * 400_000),
    "too much in all": lambda: replace(GOOD, facts=(PAUSED,) * 4_000),
    "contents that JSON does not know": lambda: of(CREATED, pending_import={"at": NOON}),
    "contents that come back as another": lambda: of(CREATED, pending_import={"a": (1, 2)}),
    "contents that are no number": lambda: of(CREATED, pending_import={"a": nan}),
    "a number beyond 64 bits": lambda: of(CREATED, pending_import={"a": 1 << 70}),
    "a time without a zone": lambda: replace(GOOD, time=datetime(2026, 3, 1)),
    "a fact's time without a zone": lambda: of(PAUSED, paused_at=datetime(2026, 3, 1)),
    "no actor": lambda: replace(GOOD, actor=""),
    "no fact": lambda: replace(GOOD, facts=()),
    "a stream without its version": lambda: replace(GOOD, condition={}),
    "a version beyond all": lambda: replace(GOOD, condition={PAUSED.stream: VERSION_MAX + 1}),
    "a version before all": lambda: replace(GOOD, condition={PAUSED.stream: -1}),
    "a stream of another partition": lambda: of(PAUSED, campaign_id=43),
    "a guard of another partition": lambda: replace(
        GOOD, condition={PAUSED.stream: 0, Stream("campaign/43"): 0}
    ),
    "a guard that is no stream": lambda: replace(
        GOOD, condition={PAUSED.stream: 0, Stream("No Stream"): 0}
    ),
    "a permission that its record does not name": lambda: offered(sample("call-requested.v1")),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_no_reader_could_read_is_not_handed_over(what: str) -> None:
    with pytest.raises(UnreadableRecordError) as no:
        made(UNREADABLE[what]())
    assert str(no.value).startswith("campaign.records/6: record ")
    assert len(str(no.value)) < 800
    assert not no.value.may_still_take_effect


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_fact_is_handed_over_in_its_place_and_decoded_already(tag: str) -> None:
    fact = sample(tag)
    record = offered(fact)
    if isinstance(fact, CallRequested):
        record = replace(record, id=fact.call_id)
    of_one = {"organization": ORGANIZATIONS, "installation": INSTALLATION}
    partition = of_one.get(fact.stream.partition("/")[0], PARTITION)
    recorded = entry(record, partition, PARTITIONS if partition == PARTITION else 1)
    assert recorded.raw == record.encode()
    assert recorded.facts == (fact,)
    assert recorded.placed(9).where == f"{partition}@9"
    if partition == PARTITION and not isinstance(fact, ContactsAdded) and "/42" in fact.stream:
        elsewhere = Partition(CAMPAIGN_RECORDS, 7)
        with pytest.raises(UnreadableRecordError, match="does not belong"):
            entry(record, elsewhere, PARTITIONS)


def test_a_record_that_is_as_long_as_may_be_is_handed_over() -> None:
    room = RECORD_BYTES_MAX - len(made(offered(structs.replace(PAUSED, reason=""))) or b"")
    whole = offered(structs.replace(PAUSED, reason="x" * room))
    assert len(made(whole) or b"") == RECORD_BYTES_MAX
    with pytest.raises(UnreadableRecordError, match=f"found {RECORD_BYTES_MAX + 1}"):
        made(offered(structs.replace(PAUSED, reason="x" * (room + 1))))


@pytest.mark.parametrize("endless", [inf, -inf, nan])
@pytest.mark.parametrize("name", ["lease_s", "carrier_timeout_s", "duration_s"])
def test_no_fact_takes_a_number_without_end(name: str, endless: float) -> None:
    tag = "call-ended.v1" if name == "duration_s" else "call-requested.v1"
    with pytest.raises(ValidationError, match=name):
        TAGS[tag].validated({**asdict(sample(tag)), name: endless})
