"""The rule: first in wins, all or none, and every reader agrees."""

import sys

from campaigns.domain.values.stream_names import Stream, campaign_stream, contact_stream
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope, FactEntry

CAMPAIGN, CONTACT = campaign_stream(42), contact_stream(42, 7)


def offer(condition: dict[Stream, int], **writes: int) -> Envelope:
    """Return an envelope with this many facts on `campaign` and `contact`."""
    named = {"campaign": CAMPAIGN, "contact": CONTACT}
    return envelope(condition, {named[name]: facts for name, facts in writes.items()})


def envelope(condition: dict[Stream, int], written: dict[Stream, int]) -> Envelope:
    """Return an envelope that writes so many facts to these streams."""
    entries = [FactEntry(stream) for stream, facts in written.items() for _ in range(facts)]
    return Envelope(1, "r", "t", "s", "a", "c", None, condition, entries)


def test_a_stream_that_nobody_wrote_has_version_zero() -> None:
    assert Ledger().version(CAMPAIGN) == Ledger().version(CONTACT) == 0


def test_an_accepted_record_grows_its_streams_by_its_facts() -> None:
    ledger = Ledger()
    assert ledger.admit(offer({CAMPAIGN: 0, CONTACT: 0}, campaign=2, contact=1))
    assert ledger.condition([CAMPAIGN, CONTACT]) == {CAMPAIGN: 2, CONTACT: 1}


def test_the_first_of_two_that_read_the_same_wins() -> None:
    ledger = Ledger()
    assert ledger.admit(offer({CAMPAIGN: 0}, campaign=1))
    assert not ledger.admit(offer({CAMPAIGN: 0}, campaign=1))
    assert ledger.admit(offer({CAMPAIGN: 1}, campaign=1))


def test_a_record_that_expects_what_is_yet_to_come_is_refused() -> None:
    assert not Ledger().admit(offer({CAMPAIGN: 1}, campaign=1))


def test_a_guard_refuses_and_does_not_grow() -> None:
    ledger = Ledger()
    assert ledger.admit(offer({CONTACT: 0, CAMPAIGN: 0}, contact=1))
    assert ledger.version(CAMPAIGN) == 0
    assert ledger.admit(offer({CAMPAIGN: 0}, campaign=1))  # The pause.
    assert not ledger.admit(offer({CONTACT: 1, CAMPAIGN: 0}, contact=1))
    assert ledger.admit(offer({CONTACT: 1, CAMPAIGN: 1}, contact=1))


def test_a_refused_record_grows_nothing() -> None:
    ledger = Ledger()
    assert not ledger.admit(offer({CAMPAIGN: 0, CONTACT: 5}, campaign=1, contact=1))
    assert ledger.condition([CAMPAIGN, CONTACT]) == {CAMPAIGN: 0, CONTACT: 0}
    assert list(ledger.changes()) == []


def test_contacts_of_campaigns_are_told_apart() -> None:
    ledger = Ledger()
    ledger.admit(offer({CONTACT: 0}, contact=1))
    assert ledger.version(contact_stream(4, 27)) == 0
    assert ledger.version(contact_stream(54, 7)) == 0
    assert ledger.version(contact_stream(42, 8)) == 0


def grown(ledger: Ledger, contact_id: int, facts: int = 1) -> None:
    stream = contact_stream(42, contact_id)
    seen = ledger.version(stream)
    assert ledger.admit(envelope({stream: seen}, {stream: facts}))


def test_a_contact_with_a_huge_id_costs_one_entry() -> None:
    ledger = Ledger()
    huge = 9_999_999_999_999_999
    for _ in range(3):
        grown(ledger, huge)
    assert ledger.version(contact_stream(42, huge)) == 3
    assert sum(len(block) for block in ledger.contacts.values()) == 0


def test_a_contact_that_was_far_ahead_keeps_its_version_when_the_array_reaches_it() -> None:
    ledger = Ledger()
    ahead = 500_000
    grown(ledger, ahead, 2)
    assert ledger.versions
    for reached in (250_000, 500_001):
        grown(ledger, reached)
    assert ledger.version(contact_stream(42, ahead)) == 2
    grown(ledger, ahead)
    assert ledger.version(contact_stream(42, ahead)) == 3
    assert ledger.version(contact_stream(42, ahead - 1)) == 0
    again = Ledger()
    again.load(ledger.changes())
    assert again.version(contact_stream(42, ahead)) == 3


def test_changes_restore_a_ledger() -> None:
    ledger, stored = Ledger(), dict[str, bytes]()
    every = [1, 7, 4_095, 4_096, 10_000, 9_999_999_999_999]
    for round_number in range(3):
        for contact_id in every[round_number:]:
            grown(ledger, contact_id)
        ledger.admit(offer({CAMPAIGN: round_number}, campaign=1))
        stored.update(ledger.changes())
    again = Ledger()
    again.load(stored.items())
    for contact_id in (*every, 2, 5_000):
        stream = contact_stream(42, contact_id)
        assert again.version(stream) == ledger.version(stream)
    assert again.version(CAMPAIGN) == 3
    assert list(again.changes()) == [], "what was loaded is stored already"


def test_changes_are_told_once_and_are_bounded_by_what_moved() -> None:
    ledger = Ledger()
    grown(ledger, 1)
    grown(ledger, 100_000)
    assert len(list(ledger.changes())) == 2
    assert list(ledger.changes()) == []
    grown(ledger, 2)
    ((key, value),) = ledger.changes()
    assert key == "contact/42#0"
    assert len(value) == 4 * 64, "what moved, and its neighbours"


def test_a_campaign_costs_what_it_holds() -> None:
    """A block of 16 KiB a campaign was 838 MiB at 50,000 of them, and a save of 1.3 s."""
    ledger = Ledger()
    for campaign_id in range(1, 1_001):
        stream = contact_stream(campaign_id, 1)
        assert ledger.admit(envelope({stream: 0}, {stream: 1}))
    held = sum(sys.getsizeof(block) for block in ledger.contacts.values())
    assert held < 1_000 * 500
    assert sum(len(value) for _, value in ledger.changes()) < 1_000 * 300


def test_what_grew_contact_by_contact_is_loaded_as_it_was() -> None:
    ledger = Ledger()
    for contact_id in (1, 63, 64, 65, 1_000, 7, 1_001):
        grown(ledger, contact_id, contact_id % 5 + 1)
    again = Ledger()
    again.load(ledger.changes())
    for contact_id in range(1_200):
        stream = contact_stream(42, contact_id)
        assert again.version(stream) == ledger.version(stream)
    grown(again, 1_002)
    assert again.version(contact_stream(42, 1_001)) == 2
