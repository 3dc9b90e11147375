"""The Mapper round-trips every stored sample, and never imports what a tag names."""

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import orjson
import pytest
from eventsourcing.persistence import JSONTranscoder, MapperDeserialisationError, StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from campaigns.domain.facts import TAGS, CampaignPaused
from campaigns.domain.values.stream_names import campaign_stream
from campaigns.eventsourcing.mapper import FactMapper, StreamedFact, stored_events
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.tags import Json, Upcasts, current
from campaigns.testing.sample_records import FIRST, NOON

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
MAPPER = FactMapper(JSONTranscoder())
PAUSED = CampaignPaused(campaign_id=42, reason=None, paused_at=NOON)


def stored(topic: str, state: bytes = b"{}", stream: str = "campaign/42") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=1, topic=topic, state=state)


def test_there_is_a_sample_of_every_fact() -> None:
    assert {sample.stem for sample in SAMPLES} >= TAGS.keys()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_every_sample_comes_back_as_it_was_stored(sample: Path) -> None:
    fact = TAGS[sample.stem].validated(orjson.loads(sample.read_bytes()))
    event = StreamedFact(fact.stream, 3, fact)
    kept = MAPPER.to_stored_event(event)
    assert (kept.originator_id, kept.originator_version) == (fact.stream, 3)
    assert kept.topic == sample.stem
    assert MAPPER.to_domain_event(kept) == event
    assert MAPPER.to_stored_event(MAPPER.to_domain_event(kept)) == kept


@given(
    campaign_id=st.integers(1, 2**53),
    reason=st.none() | st.text(),
    paused_at=st.datetimes(  # Offsets are whole minutes, as ISO 8601 has them.
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
    ),
    version=st.integers(1, 2**53),
)
def test_whatever_a_fact_holds_comes_back(
    campaign_id: int, reason: str | None, paused_at: datetime, version: int
) -> None:
    fact = CampaignPaused(campaign_id=campaign_id, reason=reason, paused_at=paused_at)
    event = StreamedFact(campaign_stream(campaign_id), version, fact)
    assert MAPPER.to_domain_event(MAPPER.to_stored_event(event)) == event


@pytest.mark.parametrize(
    "tag", ["this", "os:system", "campaigns.domain.facts:CampaignPaused", "", "x.v9"]
)
def test_an_unknown_tag_is_refused_and_nothing_is_imported(
    tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = set(sys.modules)
    with pytest.raises(MapperDeserialisationError, match="campaign/42 version 1: expected a fact"):
        MAPPER.to_domain_event(stored(tag))
    assert set(sys.modules) == imported
    assert not any(capsys.readouterr())  # `import this` prints.


@pytest.mark.parametrize(
    "state", [b"", b"{", b"[]", b"null", b"{}", b'{"campaign_id": "42"}', b"\xff"]
)
def test_a_state_that_is_not_as_agreed_is_refused(state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError, match="campaign/42 version 1"):
        MAPPER.to_domain_event(stored("campaign-paused.v1", state))


def test_a_fact_on_another_ones_stream_is_refused() -> None:
    state = MAPPER.to_stored_event(StreamedFact("campaign/42", 1, PAUSED)).state
    with pytest.raises(MapperDeserialisationError, match=r"holds a campaign-paused\.v1"):
        MAPPER.to_domain_event(stored("campaign-paused.v1", state, "campaign/43"))


def test_only_a_fact_at_its_place_is_stored() -> None:
    with pytest.raises(TypeError, match="expected a StreamedFact"):
        MAPPER.to_stored_event(stored("campaign-paused.v1"))  # type: ignore[arg-type]  # On purpose.


def _with_reason(found: Json) -> Json:
    return {"reason": None, **found}


class TwoVersionsOn(FactMapper):
    """As if `campaign-paused.v1` had been changed twice already."""

    upcasts: ClassVar[Upcasts] = {
        "campaign-paused.v-1": ("campaign-paused.v0", lambda found: {**found, "campaign_id": 42}),
        "campaign-paused.v0": ("campaign-paused.v1", _with_reason),
    }


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("campaign-paused.v-1", {"paused_at": NOON.isoformat()}),
        ("campaign-paused.v0", {"paused_at": NOON.isoformat(), "campaign_id": 42}),
        (
            "campaign-paused.v1",
            {"paused_at": NOON.isoformat(), "campaign_id": 42, "reason": None},
        ),
    ],
)
def test_an_older_fact_is_read_as_the_present_one(tag: str, found: Json) -> None:
    mapper = TwoVersionsOn(JSONTranscoder())
    read = mapper.to_domain_event(stored(tag, orjson.dumps(found)))
    assert read == StreamedFact("campaign/42", 1, PAUSED)
    assert current(tag, TwoVersionsOn.upcasts) == "campaign-paused.v1"
    assert current("campaign-paused.v9", TwoVersionsOn.upcasts) is None


def test_versions_follow_from_the_condition_of_an_accepted_record() -> None:
    other = replace(PAUSED, campaign_id=7)
    record = Record(
        uuid4().hex,
        NOON,
        "test",
        "test",
        "test",
        None,
        {PAUSED.stream: 5, other.stream: 0},
        (PAUSED, other, PAUSED),
    )
    recorded = Recorded(FIRST, 1, record.encode(), 1)
    found = [MAPPER.to_domain_event(event) for event in stored_events(recorded)]
    assert found == [
        StreamedFact(PAUSED.stream, 6, PAUSED),
        StreamedFact(other.stream, 1, other),
        StreamedFact(PAUSED.stream, 7, PAUSED),
    ]
