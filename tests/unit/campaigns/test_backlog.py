"""What a 503 says of views that are not there yet is true, also where the log has said nothing."""

from collections.abc import Sequence

import pytest

from campaigns.log.lag import backlog


@pytest.mark.parametrize(
    ("partitions", "said"),
    [
        ([(0, None)], "The views are at 0 records, and the log has not said yet how many it holds"),
        ([(7, None), (5, 9)], "The views are at 12 records, and the log has not said yet"),
        ([(30, 120), (30, 120)], "from the log: 60 of 240 records, 25 %"),
        ([(1_199, 1_200)], "from the log: 1,199 of 1,200 records, 99 %"),
        ([(12, 10), (0, 10)], "from the log: 10 of 20 records, 50 %"),
        (
            [(10, 10), (4, 4)],
            "The views have all 14 records that the log last reported, and it has",
        ),
        ([(0, 0)], "The views have all 0 records that the log last reported, and it has not said"),
    ],
)
def test_a_backlog_is_said_as_far_as_it_is_known(
    partitions: Sequence[tuple[int, int | None]], said: str
) -> None:
    assert said in backlog(partitions)
