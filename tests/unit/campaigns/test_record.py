"""What is a record, what is foreign, and what stops a reader."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import to_builtins

from campaigns.domain.facts import TAGS, AnyFact, CallRequested, CampaignPaused
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST, needed
from campaigns.process.errors import ContractError, LevelBeyondError
from campaigns.records.json_reader import facts_of, read_envelope
from campaigns.records.log_entry import Recorded
from campaigns.records.record import VERSION_MAX, Envelope, Foreign, Idempotency, Record, conflict
from campaigns.records.topics import CAMPAIGN_RECORDS, INSTALLATION, ORGANIZATIONS, Partition

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PARTITION = Partition(CAMPAIGN_RECORDS, 6)  # 42 % 12.
PARTITIONS = 12
SAMPLES = Path(__file__).parents[2] / "contract" / "samples"
PAUSED = CampaignPaused(campaign_id=42, reason="lunch", paused_at=NOON)


def record(
    *facts: AnyFact, record_id: str = "r1", idempotency: Idempotency | None = None
) -> Record:
    condition = {fact.stream: 0 for fact in facts}
    level = max(map(needed, facts), default=LEVEL_OLDEST)
    return Record(
        record_id, NOON, "api/1", "dg_1", "c1", None, condition, facts, idempotency, level
    )


def parsed() -> dict[str, Any]:
    """Return a good record as JSON, to be spoilt."""
    found: dict[str, Any] = orjson.loads(record(PAUSED).encode())
    return found


def read(found: object, partition: Partition = PARTITION) -> Envelope | Foreign:
    raw = found if isinstance(found, bytes) else orjson.dumps(found)
    return read_envelope(raw, partition, PARTITIONS if partition is PARTITION else 1)


def with_(**changes: object) -> dict[str, Any]:
    return parsed() | changes


def without(name: str) -> dict[str, Any]:
    found = parsed()
    del found[name]
    return found


def with_fact(**changes: object) -> dict[str, Any]:
    found = parsed()
    found["facts"][0] |= changes
    return found


def with_condition(**changes: object) -> dict[str, Any]:
    found = parsed()
    found["condition"] |= {name.replace("__", "/"): seen for name, seen in changes.items()}
    return found


FOREIGN: dict[str, object] = {
    "an empty value": b"",
    "no JSON": b"\x00\x01\xff",
    "JSON that breaks off": record(PAUSED).encode()[:-5],
    "two objects": record(PAUSED).encode() * 2,
    "not UTF-8": record(PAUSED).encode().replace(b"lunch", b"\xff\xfe"),
    "a constant that is no JSON": b'{"dialgate": NaN}',
    "nesting that the parser gives up on": b'{"dialgate":1,"a":' + b"[" * 100_000,
    "complete nesting beyond the parser's limit": b"[" * 5_000 + b"]" * 5_000,
    "an array": [parsed()],
    "a text": "record",
    "a number": 1,
    "null": None,
    "an empty object": {},
    "`dialgate` of true": with_(dialgate=True),
    "`dialgate` of 1.0": with_(dialgate=1.0),
    "`dialgate` as text": with_(dialgate="1"),
    "`dialgate` of zero": with_(dialgate=0),
    "`dialgate` below zero": with_(dialgate=-1),
    "`dialgate` beyond all integers": b'{"dialgate": 1' + b"0" * 400 + b"}",
    "`facts` of none": with_(facts=[]),
    "`facts` as an object": with_(facts={}),
    "`condition` as a list": with_(condition=[]),
    "`condition` of null": with_(condition=None),
    "`condition` of none": with_(condition={}),
    "`causation_id` as a number": with_(causation_id=1),
    "`causation_id` of false": with_(causation_id=False),
    "a negative version": with_condition(campaign__42=-1),
    "a version of true": with_condition(campaign__42=True),
    "a version of 0.0": with_condition(campaign__42=0.0),
    "a version as text": with_condition(campaign__42="0"),
    "a version of null": with_condition(campaign__42=None),
    "a version beyond exact numbers": with_condition(campaign__42=VERSION_MAX + 1),
    "a written stream without its version": with_condition() | {"condition": {"contacts/42": 0}},
    "a fact as text": with_(facts=["campaign-paused.v1"]),
    "a fact of null": with_(facts=[None]),
    "a fact without data": with_fact(data=None),
    "a fact with a list as data": with_fact(data=[]),
    "a fact without a type": with_fact(type=None),
    "a fact with a number as type": with_fact(type=1),
    "a fact without a stream": with_fact(stream=None),
    "a fact with a list as stream": with_fact(stream=["campaign/42"]),
    "a second fact that is none": with_(facts=[*parsed()["facts"], 7]),
    "`idempotency` as text": with_(idempotency="key"),
    "`idempotency` of nothing": with_(idempotency={}),
    "`idempotency` without a digest": with_(idempotency={"key": "k"}),
    "a guard of another partition": with_condition(campaign__43=0),
    "a guard of another topic": with_condition(organization__1=0),
    "a contact of another partition": with_condition(contact__43__1=0),
    "a contact without its number": with_condition(contact__42=0),
    "a contact with a text as number": with_condition(contact__42__seven=0),
    "a contact with number zero": with_condition(contact__42__0=0),
    "a contact with a leading zero": with_condition(contact__42__07=0),
    "a campaign with a number that is not ASCII": with_condition(campaign__٤٢=0),
    "a campaign with a number beyond all": with_condition(**{"campaign__" + "9" * 40: 0}),
    "a campaign of two numbers": with_condition(campaign__42__1=0),
    "a stream of no kind": with_condition(**{"/42": 0}),
    "a stream without an id": with_condition(campaign=0),
    "a stream with a line's end": with_condition(**{"campaign__42\n": 0}),
    "a stream that is empty": with_condition(**{"": 0}),
    **{
        f"no `{name}`": without(name)
        for name in (
            *("dialgate", "id", "time", "source", "actor", "correlation_id", "causation_id"),
            *("condition", "facts"),
        )
    },
    **{
        f"`{name}` as {kind}": with_(**{name: value})
        for name in ("id", "time", "source", "actor", "correlation_id")
        for kind, value in {"a number": 1, "null": None, "true": True, "no text": ""}.items()
    },
}


@pytest.mark.parametrize("what", FOREIGN)
def test_bytes_that_are_no_record_are_foreign(what: str) -> None:
    found = read(FOREIGN[what])
    assert isinstance(found, Foreign), what
    assert found.why


def test_a_tombstone_is_foreign() -> None:
    assert isinstance(Recorded(PARTITION, 1, None, PARTITIONS).envelope, Foreign)


def test_what_was_spoilt_above_was_a_record() -> None:
    assert isinstance(read(parsed()), Envelope)


def test_why_something_is_foreign_is_short() -> None:
    for spoilt in (b"x" * 100_000, with_condition(**{"x" * 100_000: 0})):
        found = read(spoilt)
        assert isinstance(found, Foreign)
        assert len(found.why) < 300


def test_a_campaign_s_stream_is_foreign_among_organizations() -> None:
    assert isinstance(read(parsed(), ORGANIZATIONS), Foreign)


def test_a_stream_of_a_kind_that_is_not_known_yet_is_no_foreign_one() -> None:
    """An older reader must rule on a newer writer's record as a newer reader does."""
    found = read(with_condition(hold__42=0))
    assert isinstance(found, Envelope)
    assert dict(found.condition) == {"campaign/42": 0, "hold/42": 0}


def test_fields_that_are_not_known_yet_are_passed_over() -> None:
    assert isinstance(read(with_(trace="4bf92f")), Envelope)


@pytest.mark.parametrize("level", [LEVEL_NEWEST + 1, 99])
def test_a_level_beyond_ours_stops_the_reader_and_says_where_and_what_to_do(level: int) -> None:
    recorded = Recorded(PARTITION, 7, orjson.dumps({"dialgate": level}), PARTITIONS)
    with pytest.raises(LevelBeyondError) as stopped:
        _ = recorded.envelope
    said = f"campaign.records/6@7: expected a level of at most {LEVEL_NEWEST}, found {level}:"
    assert str(stopped.value).startswith(said)
    assert "run the version that the level was raised for" in str(stopped.value)


def test_an_unknown_fact_is_not_looked_at_until_its_record_is_accepted() -> None:
    raw = orjson.dumps(with_fact(type="campaign-cloned.v1"))
    recorded = Recorded(PARTITION, 7, raw, PARTITIONS)
    assert isinstance(recorded.envelope, Envelope)
    with pytest.raises(ContractError) as stopped:
        _ = recorded.facts
    for part in ("campaign.records/6@7", "campaign-cloned.v1", "campaign/42"):
        assert part in str(stopped.value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data": {}}, "campaign_id"),
        ({"data": {**to_builtins(PAUSED), "until": "later"}}, "until"),
        ({"data": {**to_builtins(PAUSED), "campaign_id": "42"}}, "campaign_id"),
        ({"data": {**to_builtins(PAUSED), "campaign_id": 54}}, "campaign/54"),
        (
            {"data": {**to_builtins(PAUSED), "paused_at": "2026-03-01T12:00:00"}},
            "paused",
        ),
    ],
)
def test_an_accepted_fact_that_is_not_as_agreed_stops_the_reader(
    changes: dict[str, object], why: str
) -> None:
    recorded = Recorded(PARTITION, 7, orjson.dumps(with_fact(**changes)), PARTITIONS)
    with pytest.raises(ContractError, match=r"campaign\.records/6@7") as stopped:
        _ = recorded.facts
    assert why in str(stopped.value)


def test_a_permission_is_named_by_its_record() -> None:
    requested = TAGS["call-requested.v1"].validated(
        orjson.loads((SAMPLES / "call-requested.v1.json").read_bytes())
    )
    assert isinstance(requested, CallRequested)
    found = read(orjson.loads(record(requested, record_id="another").encode()))
    assert isinstance(found, Envelope)
    with pytest.raises(ContractError, match="expected call id another"):
        facts_of(found)


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_fact_comes_back_as_it_was_written(tag: str) -> None:
    fact = TAGS[tag].validated(orjson.loads((SAMPLES / f"{tag}.json").read_bytes()))
    record_id = fact.call_id if isinstance(fact, CallRequested) else "r1"
    of_one = {"organization": ORGANIZATIONS, "installation": INSTALLATION}
    partition = of_one.get(fact.stream.partition("/")[0], PARTITION)
    written = record(fact, record_id=record_id)
    count = PARTITIONS if partition == PARTITION else 1
    recorded = Recorded(partition, 1, written.encode(), count)
    assert isinstance(recorded.envelope, Envelope)
    assert recorded.facts == (fact,)
    assert recorded.facts is recorded.facts, "decoded once"
    assert dict(recorded.envelope.condition) == written.condition
    assert recorded.envelope.writes == {fact.stream: 1}


def test_an_envelope_comes_back_as_it_was_written() -> None:
    key = Idempotency("a key", "a digest")
    written = record(PAUSED, PAUSED, idempotency=key)
    found = read(orjson.loads(written.encode()))
    assert isinstance(found, Envelope)
    assert found.writes == {"campaign/42": 2}
    assert (found.id, found.actor, found.source) == ("r1", "dg_1", "api/1")
    assert (found.correlation_id, found.causation_id) == ("c1", None)
    assert found.idempotency == key
    assert datetime.fromisoformat(found.time) == NOON


def test_a_conflict_names_the_streams_that_moved_on() -> None:
    versions: Callable[[int], dict[str, int]] = lambda a: {"campaign/42": a, "contacts/42": 1}  # noqa: E731
    condition = versions(2)
    assert conflict(condition, versions(3)) == "campaign/42: expected 2, found 3"  # type: ignore[arg-type]
