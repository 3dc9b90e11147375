"""A heavy batch is folded in several steps, so that nothing else waits for long."""

from campaigns.records.log_entry import Recorded
from campaigns.records.steps import STEP_BYTES_MAX, bounded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition


def test_steps_are_bounded_and_keep_the_order() -> None:
    half = STEP_BYTES_MAX // 2
    weights = [10, half, half, STEP_BYTES_MAX + 5, 1, 1, half]
    partition = Partition(CAMPAIGN_RECORDS, 0)
    batch = [Recorded(partition, n + 1, b"x" * weight, 1) for n, weight in enumerate(weights)]
    steps = [[one.position for one in step] for step in bounded(batch)]
    assert steps == [[1, 2], [3], [4], [5, 6, 7]]
    assert list(bounded([])) == []
