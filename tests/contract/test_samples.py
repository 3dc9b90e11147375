"""Stored samples of every fact there ever was must decode for ever: logs are kept for ever.

A changed fact is a new version with a new tag and a new sample; an old sample is never edited.
"""

from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace

from campaigns.domain.evolution import evolve
from campaigns.domain.facts import FACTS, TAGS, AnyFact, CampaignCreated, CampaignFact
from campaigns.domain.values.stream_names import campaign_stream

CREATED = CampaignCreated.TYPE
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


@pytest.mark.parametrize(
    "tag",
    sorted(t for t, kind in TAGS.items() if issubclass(kind, CampaignFact) and t != CREATED),
)
def test_a_fact_is_a_version_of_its_campaign_if_it_stands_on_its_stream(tag: str) -> None:
    """Its ETag and its last change are the campaign stream's, and no other's."""
    campaign_id = 42
    first, fact = (replace(sample(one), campaign_id=campaign_id) for one in (CREATED, tag))
    campaign = evolve(None, first, 1)  # type: ignore[arg-type]  # Facts of campaigns, both.
    assert campaign is not None
    before = campaign.version
    evolve(campaign, fact, 2)  # type: ignore[arg-type]  # As above.
    on_its_stream = fact.stream == campaign_stream(campaign_id)
    assert campaign.version - before == on_its_stream
    assert campaign.changed is not None
    assert (campaign.changed.tag == fact.TYPE) == on_its_stream
