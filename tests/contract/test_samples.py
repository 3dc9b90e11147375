"""Stored samples of every fact there ever was must decode for ever: logs are kept for ever.

A changed fact is a new version with a new tag and a new sample; an old sample is never edited.
"""

from pathlib import Path

import orjson
import pytest

from campaigns.domain.facts import FACTS, TAGS, AnyFact

SAMPLES = Path(__file__).parent / "samples"


def sample(tag: str) -> AnyFact:
    """Decode one stored sample."""
    return TAGS[tag].validated(orjson.loads((SAMPLES / f"{tag}.json").read_bytes()))


def test_every_fact_has_a_sample_and_every_sample_its_fact() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(TAGS)
    assert len(TAGS) == len(FACTS)


def covered(written: object, stored: object) -> object:
    """Return what was written under the names that were stored: fields with defaults may come."""
    if isinstance(written, dict) and isinstance(stored, dict):
        return {name: covered(written[name], value) for name, value in stored.items()}
    return written


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_a_stored_sample_decodes_and_encodes_to_the_same(tag: str) -> None:
    stored = orjson.loads((SAMPLES / f"{tag}.json").read_bytes())
    fact = sample(tag)
    assert type(fact) is TAGS[tag]
    written = orjson.loads(fact.as_json())
    assert covered(written, stored) == stored
