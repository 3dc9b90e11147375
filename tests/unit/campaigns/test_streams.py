"""Which campaign and contact a stream's name is of, and that garbage is not remembered."""

import pytest

from campaigns.domain.values.stream_names import Stream
from campaigns.records.ledger import Ledger
from campaigns.records.streams import PLACES, misplaced
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition

MEANT = {
    "campaign/42": (42, 0),
    "contacts/42": (42, 0),
    "contact/42/7": (42, 7),
    "contact/42/9999999999999999": (42, 9_999_999_999_999_999),
    "contact/42/99999999999999999": None,
    "contact/42/07": None,
    "contact/42/0": None,
    "contact/42": None,
    "campaign/42/7": None,
    "campaign/٤٢": None,
    "campaign/42\n": None,
    "import/42": None,
    "organization/42": None,
    "": None,
}


@pytest.mark.parametrize("stream", MEANT)
def test_a_stream_s_campaign_and_contact(stream: str) -> None:
    assert PLACES[stream] == MEANT[stream]


def test_a_name_that_is_too_long_for_a_stream_is_not_remembered() -> None:
    """Who may write to the topic could fill a reader's memory with names."""
    before = set(PLACES)
    for n in range(10):
        name = f"campaign/{'9' * 100_000}{n}"
        assert misplaced(name, Partition(CAMPAIGN_RECORDS, 0), 1)
        assert PLACES[name] is None
    assert set(PLACES) == before


def test_so_many_names_are_remembered_and_no_more() -> None:
    for n in range(1, 3 * 4_096):
        assert PLACES[f"contact/42/{n}"] == (42, n)
        PLACES.remember(f"contact/43/{n}", (43, n))
        assert len(PLACES) <= 4_096
    assert f"contact/43/{n}" in PLACES


def test_a_ledger_may_be_asked_for_any_name() -> None:
    """A contact's name without its number had raised ValueError: the recorder asks for any."""
    assert Ledger().version(Stream("contact/42/seven")) == 0
    assert Ledger().version(Stream("contact/42")) == 0
