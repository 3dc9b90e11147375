"""Whose turn it is stands twice, and both say the same: in the dialer's queue, and in the views."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.reactor.queue import CampaignQueue
from projector.why.turns import whose_turn
from tests.property.test_epoch_rule import STEPS, Writer, stored, viewed

EXAMPLES = 40


def test_the_views_say_whose_turn_it_is_as_the_dialers_queue_does() -> None:
    happened: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        st.integers(0, 10**6),
        st.lists(st.sampled_from(STEPS), min_size=3, max_size=30),
        st.sampled_from((0, 1, 600, 86_400)),
        st.sampled_from((1, 2, 5, 1000)),
    )
    def compare(seed: int, steps: list[str], later_s: int, wanted: int) -> None:
        author = Writer(seed)
        for step in steps:
            author.take(step)
        now = author.told.now + timedelta(seconds=later_s)
        with stored(author) as (campaign, contacts):
            queue = CampaignQueue()
            ids = [one.contact_id for one in queue.candidates(campaign, contacts, now, wanted)]
            next_due = contacts.next_due(campaign)
        with viewed(author) as (campaign, store), store.reading() as tx:
            turn = whose_turn(tx, campaign, wanted, now)
        assert list(turn.contact_ids) == ids
        happened["somebody's turn" if ids else "nobody's turn"] += 1
        if not ids:
            due_at = None if next_due is None else datetime.fromtimestamp(next_due, UTC)
            assert turn.next_at == due_at
            happened["somebody rests"] += due_at is not None

    compare()
    assert len(happened) == 3, happened
