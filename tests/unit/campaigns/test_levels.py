"""The level that a fact needs of its readers: by type, field or value; and fields aside."""

from enum import unique
from typing import Annotated, ClassVar

import pytest
from msgspec import field
from msgspec.structs import fields

from campaigns.domain.facts import FACTS, CampaignFact, CampaignPaused, Fact
from campaigns.domain.levels import (
    ASIDE,
    LEVEL_NEWEST,
    LEVELS,
    Since,
    Word,
    asides,
    needed,
    withheld,
)
from campaigns.domain.values.value import Value
from campaigns.process.errors import ContractError
from campaigns.records.offer import OfferedFact, fact_of, offer, whole
from campaigns.records.tags import decode
from campaigns.testing.sample_records import NOON


@unique
class Colour(Word):
    """Of which one came later."""

    RED = "red"
    MAUVE = "mauve", 2


class Inner(Value, frozen=True, kw_only=True):
    """Nested."""

    wide: int = 1
    deep: Annotated[int, Since(2)] = 0


class Window(Value, frozen=True, kw_only=True):
    """Of which some values need more than their type says."""

    start: str
    end: str

    def needs(self) -> int:
        """Over midnight, say."""
        return 2 if self.end < self.start else 1


class Painted(CampaignFact, frozen=True, kw_only=True):
    """A fact with everything that may need a level."""

    TYPE = "painted.v1"

    colour: Colour = Colour.RED
    inner: Inner = Inner()
    several: tuple[Inner, ...] = ()
    by_name: dict[str, Colour] = field(default_factory=dict)
    window: Window | None = None
    gloss: Annotated[int | None, Since(2)] = None
    painter: Annotated[str | None, ASIDE] = None


class Later(CampaignFact, frozen=True, kw_only=True):
    """A fact that is written from level 2 on."""

    TYPE = "later.v1"
    SINCE: ClassVar[int] = 2


PLAIN = Painted(campaign_id=1)
NEEDING: dict[str, Fact] = {
    "a fact of its own": Later(campaign_id=1),
    "a value of an enumeration": Painted(campaign_id=1, colour=Colour.MAUVE),
    "a field": Painted(campaign_id=1, gloss=3),
    "a field of what is nested": Painted(campaign_id=1, inner=Inner(deep=1)),
    "a field of one of several": Painted(campaign_id=1, several=(Inner(), Inner(deep=1))),
    "a value in a mapping": Painted(campaign_id=1, by_name={"a": Colour.RED, "b": Colour.MAUVE}),
    "what a value says of itself": Painted(campaign_id=1, window=Window(start="22", end="06")),
}


@pytest.mark.parametrize("what", NEEDING)
def test_what_came_later_needs_its_level_and_is_not_written_below_it(what: str) -> None:
    assert needed(NEEDING[what]) == 2
    with pytest.raises(AssertionError, match="below the level that it needs"):
        offer(NEEDING[what], 1)  # type: ignore[arg-type]  # Facts of this test alone.
    assert offer(NEEDING[what], 2)["type"] == NEEDING[what].TYPE  # type: ignore[arg-type]


def test_what_readers_of_a_level_do_not_know_is_left_out_of_it() -> None:
    full = Painted(campaign_id=1, several=(Inner(),), window=Window(start="06", end="22"))
    assert needed(full) == 1
    old = offer(full, 1)["data"]  # type: ignore[arg-type]
    assert old == {
        "campaign_id": 1,
        "colour": "red",
        "inner": {"wide": 1},
        "several": ({"wide": 1},),
        "by_name": {},
        "window": {"start": "06", "end": "22"},
    }
    new = offer(full, 2)["data"]  # type: ignore[arg-type]
    assert new["gloss"] is None
    assert new["several"] == ({"wide": 1, "deep": 0},)


def test_the_facts_that_there_are_leave_nothing_out_at_our_newest_level_but_what_stands_aside() -> (
    None
):
    for kind in FACTS:
        left_out = withheld(kind, LEVEL_NEWEST) or {}
        assert set(left_out) == asides(kind)
        for name in asides(kind):
            (beside,) = (one for one in fields(kind) if one.name == name)
            assert beside.default is None, "left out when it has no value"
    assert list(LEVELS) == list(range(1, LEVEL_NEWEST + 1)), "each says what it adds"


def test_what_stands_aside_is_beside_the_data_at_any_level_and_only_when_it_is_there() -> None:
    for level in (1, 2):
        signed = offer(Painted(campaign_id=1, painter="Ann"), level)  # type: ignore[arg-type]
        assert signed.get("aside") == {"painter": "Ann"}
        assert "painter" not in signed["data"]
        assert "aside" not in offer(PLAIN, level)  # type: ignore[arg-type]


PAUSED = CampaignPaused(campaign_id=42, reason=None, paused_at=NOON)


@pytest.mark.parametrize("aside", [{}, {"trace": "4bf9"}, {"trace": {"deep": [1]}, "reason": 7}])
def test_what_stands_aside_and_is_not_known_is_ignored(aside: dict[str, object]) -> None:
    offered = OfferedFact(**offer(PAUSED, 1), aside=aside)
    assert fact_of(offered, "r1") == PAUSED
    assert whole(offered) == offered["data"]


def test_what_stands_aside_and_is_no_object_stops_the_reader() -> None:
    with pytest.raises(ContractError, match="expected an object aside, found list"):
        decode(PAUSED.TYPE, offer(PAUSED, 1)["data"], aside=[1])
