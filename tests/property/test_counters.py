"""Counters are folded by one step a fact; they say what counting every contact would say."""

from collections import Counter

import pytest

from campaigns.domain.campaign import Counters, dump, gone, load
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import shown
from tests.support.author import STEPS, STORIES, Author
from tests.support.folded_journal import FoldedJournal

FAILED = ("failed", "no_answer", "busy", "voicemail")


def counted(told: FoldedJournal) -> Counters:
    """Count by looking at each contact."""
    campaign = told.campaign
    found: Counter[str] = Counter()
    untouched = tried = 0
    for contact_id in range(1, campaign.contacts_end + 1):
        contact = told.contact(contact_id)
        in_progress = contact.status == "in_progress"
        if gone(campaign, contact_id, contact.ever, in_progress):
            continue
        tried += contact.ever or in_progress
        status = shown(campaign, contact)
        found[status] += 1
        untouched += status == "pending" and not contact.ever
    assert campaign.tried == tried
    return Counters(
        total=found.total() - found["skipped"],
        pending=found["pending"],
        in_progress=found["in_progress"],
        completed=found["completed"],
        failed=sum(found[status] for status in FAILED),
        cancelled=found["cancelled"],
        skipped=found["skipped"],
        untouched=untouched,
    )


@pytest.fixture(scope="module")
def happened() -> Counter[str]:
    """Tell every story; after each step, counters are what counting says."""
    happened: Counter[str] = Counter()
    for seed in range(STORIES):
        author = Author(seed)
        for step in range(STEPS):
            author.tell()
            found = author.told.campaign.counters
            assert found == counted(author.told), (seed, step, author.happened)
            campaigns, restored = author.told.campaigns, Campaigns()
            restored.take(author.told.campaign, 0)
            totals = len(author.told.campaign.permissions()), author.told.campaign.late_calls
            assert (campaigns.permissions, campaigns.late_calls) == totals, "what /metrics shows"
            assert (restored.permissions, restored.late_calls) == totals
        assert load(dump(author.told.campaign), 1) == author.told.campaign
        happened += author.happened
    return happened


def test_counters_are_what_counting_each_contact_says(happened: Counter[str]) -> None:
    assert set(happened) == {
        "ask", "ring", "end", "abandon", "late", "pause", "replace", "append", "stop", "update",
        "exhaust", "complete", "rearm", "start",
    }, "a kind of step never happened"  # fmt: skip
    assert min(happened.values()) > 30
