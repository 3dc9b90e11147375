"""The index of a campaign's own records: what a look at its end costs does not grow with it."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from random import Random

import pytest
from sqlalchemy import Connection, create_engine

from projector.projections.records import BLOCK
from projector.store import record_index
from projector.store.tables import RECORDS

CAMPAIGN, BLOCKS, STEP = 12, 300, 7  # Every seventh record of the partition is the campaign's.
POSITIONS = [STEP * n for n in range(1, BLOCK * BLOCKS - 20)]
STEPS_MAX = 1_500  # Of SQLite's machine; a scan of all blocks takes several times as many.


def time_of(position: int) -> int:
    """Return the time of a record: of some, the one before is later."""
    return position if position % 3 else position - 5 * STEP


@pytest.fixture(scope="module")
def tx() -> Iterator[Connection]:
    """Yield a store with a campaign's blocks, and others beside it."""
    engine = create_engine("sqlite://")
    RECORDS.create(engine)
    rows = []
    for block in range(BLOCKS):
        some = POSITIONS[block * BLOCK : (block + 1) * BLOCK]
        latest = max(map(time_of, POSITIONS[: (block + 1) * BLOCK]))
        stored = array("Q", some).tobytes()
        rows += [(campaign, block, some[-1], latest, stored) for campaign in (11, CAMPAIGN, 13)]
    names = ("campaign_id", "block", "last", "latest", "positions")
    with engine.begin() as opened:
        opened.execute(RECORDS.insert(), [dict(zip(names, row, strict=True)) for row in rows])
        yield opened
    engine.dispose()


def test_it_finds_what_a_scan_would_find(tx: Connection) -> None:
    random, end = Random(0), POSITIONS[-1]
    places = [0, 1, STEP - 1, STEP, STEP + 1, BLOCK * STEP, BLOCK * STEP + 1, end - 1, end, end + 1]
    for after in [*places, *(random.randrange(end) for _ in range(40))]:
        through = after + random.choice([0, 1, 50, 3 * BLOCK * STEP])
        low, high = bisect_right(POSITIONS, after), bisect_right(POSITIONS, through)
        wanted = POSITIONS[low:high]
        assert list(record_index.positions(tx, CAMPAIGN, after, through)) == wanted
        assert list(record_index.of_campaign(tx, CAMPAIGN, after, through, 9)) == wanted[:9]
        assert record_index.count(tx, CAMPAIGN, through) == high
        before, block = record_index.before_time(tx, CAMPAIGN, after)
        later = [position for position in POSITIONS if time_of(position) > after]
        assert (later[0] in block) if later else not block
        first = POSITIONS.index(block[0]) if later else len(POSITIONS)
        assert before == (POSITIONS[first - 1] if first else 0)


def test_a_campaign_without_records_has_none(tx: Connection) -> None:
    assert not record_index.positions(tx, 99, 0, 10)
    assert not record_index.of_campaign(tx, 99, 0, 10, 5)
    assert record_index.count(tx, 99, 10) == 0
    assert record_index.before_time(tx, 99, 10) == (0, ())


@pytest.mark.parametrize("back", [0, 1, 3 * BLOCK])
def test_a_look_at_the_end_reads_none_of_the_blocks_before(tx: Connection, back: int) -> None:
    after, end, steps = POSITIONS[-1 - back], POSITIONS[-1], [0]

    def step() -> int:
        steps[0] += 1
        return 0

    raw = tx.connection.driver_connection
    assert raw is not None
    raw.set_progress_handler(step, 1)
    try:
        assert len(record_index.positions(tx, CAMPAIGN, after, end)) == back
        record_index.count(tx, CAMPAIGN, after)
        record_index.before_time(tx, CAMPAIGN, after)
    finally:
        raw.set_progress_handler(None, 1)
    assert steps[0] < STEPS_MAX
