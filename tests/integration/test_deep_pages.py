"""A page of executions costs the same wherever it is, and however many there are."""

from pathlib import Path

import pytest

from campaigns.domain.facts import Disposition
from projector.queries.campaign_pages import executions
from projector.queries.page import Page
from projector.store.tables import EXECUTIONS
from projector.store.view_store import ViewStore
from projector.store.views import EXECUTION
from tests.integration.test_rebuild import Place
from tests.support.journal import Journal

STEP = 10  # Instructions of SQLite between two counts.


def stored(folder: Path, many: int) -> ViewStore:
    """Return a store with so many executions of campaign 1, copies of one that was folded."""
    folder.mkdir()
    place, journal = Place(None, folder), Journal()
    journal.create(1, contacts=1)
    journal.start(1)
    journal.call(1, Disposition.BUSY)
    place.fold(journal)
    store = ViewStore(None, folder)
    with store.writing() as tx:
        (row,) = tx.execute(EXECUTIONS.select()).all()
        one = EXECUTION.load(row.state, "execution")
        assert one.execution_id == 1
        tx.exec_driver_sql(
            "with recursive n(i) as (select 2 union all select i + 1 from n where i < ?)"
            " insert into projector_executions select 1, i, 1, status,"
            " cast(replace(cast(state as text), '\"execution_id\":1,', '\"execution_id\":'||i||',')"
            " as blob) from projector_executions, n where execution_id = 1",
            (many,),
        )
    return store


def cost(store: ViewStore, page: int) -> tuple[int, list[int]]:
    """Return how many instructions a page takes, in STEPs, and the numbers of its executions."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    with store.reading() as tx:
        driver = tx.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(count, STEP)
        found, _ = executions(tx, 1, None, Page(page, 50, (page - 1) * 50, 50))
        numbers = [one.execution.execution_id for one in found]
        driver.set_progress_handler(None, 0)
    return steps[0], numbers


def test_a_deep_page_costs_what_the_first_does(tmp_path: Path) -> None:
    small, large = stored(tmp_path / "small", 1_000), stored(tmp_path / "large", 100_000)
    first, numbers = cost(large, 1)
    assert numbers == list(range(100_000, 99_950, -1))
    deep, numbers = cost(large, 2_000)
    assert numbers == list(range(50, 0, -1))
    few, numbers = cost(small, 1)
    assert numbers == list(range(1_000, 950, -1))
    assert max(first, deep) <= 1.2 * few
    assert cost(large, 2_001)[1] == []
    small.close()
    large.close()


@pytest.mark.parametrize("skip", [0, 1, 7, 40, 999])
def test_any_part_is_found_by_number(skip: int, tmp_path: Path) -> None:
    store = stored(tmp_path / "views", 1_000)
    with store.reading() as tx:
        found, total = executions(tx, 1, None, Page(1, 50, skip, 50))
        numbers = [one.execution.execution_id for one in found]
    assert total == 1_000
    assert numbers == list(range(1_000, 0, -1))[skip : skip + 50]
    store.close()
