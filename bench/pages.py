"""What does a page of a list cost at 10,000,000 executions, beside 10,000? One process, no HTTP.

Both stores have 10,000 campaigns; one campaign has the executions, made by SQL in the schema that
the fold writes. A page is what a query does with the store: its rows, read and put into JSON.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from bench.table import Row, Setup, show
from campaigns.http.campaign_json import campaign_shape
from projector.advance import Views
from projector.queries.campaign_pages import CampaignFilter, campaign_of, campaigns
from projector.queries.execution_pages import executions
from projector.queries.page import Page
from projector.queries.shapes import execution_shape
from projector.store.view_store import ViewStore
from tests.support.journal import every_partition
from tests.support.many_executions import journal_of_one, multiply

MANY, FEW, CAMPAIGNS, ROUNDS = 10_000_000, 10_000, 10_000, 300
STEPS = 60  # Pages that are looked at in turn; the small store has as many.
PER_PAGE, BYTES_MAX = 50, 16 * 2**20
Ask = Callable[[Connection, int], object]  # Given how many rows are skipped.


def asked_for(status: str | None) -> Ask:
    """Return a query for a page of executions."""

    def ask(tx: Connection, skip: int) -> object:
        page = Page(skip // PER_PAGE + 1, PER_PAGE, skip, PER_PAGE)
        campaign = campaign_of(tx, 1)
        assert campaign is not None
        found, total = executions(tx, 1, status, page)
        shapes = (execution_shape(campaign, *one) for one in found)
        return page.answer("executions", shapes, total, BYTES_MAX)

    return ask


def of_campaigns(tx: Connection, skip: int) -> object:
    """Read a page of the running campaigns."""
    page = Page(skip // PER_PAGE + 1, PER_PAGE, skip, PER_PAGE)
    found, total = campaigns(tx, CampaignFilter(1, "running", None, None, None), page)
    return page.answer("campaigns", (campaign_shape(one) for one in found), total, BYTES_MAX)


# What is asked for, and how much of the list is skipped.
QUESTIONS: dict[str, tuple[Ask, float]] = {
    "first page of executions": (asked_for(None), 0.0),
    "deep page of executions": (asked_for(None), 0.9),
    "first page of those completed": (asked_for("completed"), 0.0),
    "deep page of those completed": (asked_for("completed"), 0.6),
    "page of those in progress": (asked_for("in_progress"), 0.0),
}


@contextmanager
def filled(folder: Path, many: int) -> Iterator[ViewStore]:
    """Give a store with so many executions."""
    folder.mkdir()
    store, journal = ViewStore(None, folder), journal_of_one()
    store.belongs_to(journal.log.id, publishes=False)
    views = Views(store, journal.log, False, lambda _: None)
    (partition, *_) = every_partition(journal)
    views.restore([partition])
    views.reader.step(partition, journal.log._records[partition])
    multiply(store, many, CAMPAIGNS)
    yield store
    store.close()


def took_ms(ask: Ask, places: Sequence[tuple[ViewStore, int]]) -> list[float]:
    """Return how long a page takes in each store, at the median: both are asked in turn.

    `places`: stores, and how much is skipped there; each page lies a little further.
    """
    each = list[list[float]]([] for _ in places)
    for n in range(ROUNDS):
        for took, (store, skip) in zip(each, places, strict=True):
            began = time.perf_counter()
            with store.reading() as tx:
                ask(tx, skip + n % STEPS * 7 if skip else 0)
            took.append(1000 * (time.perf_counter() - began))
    return [statistics.median(took[ROUNDS // 10 :]) for took in each]  # The first ones warm up.


def main() -> None:
    """Fill both stores and print a row for each question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=MANY)
    many = parser.parse_args().many
    rows = []
    with (
        tempfile.TemporaryDirectory() as name,
        filled(Path(name) / "many", many) as large,
        filled(Path(name) / "few", FEW) as small,
    ):
        asked = [(what, *one, many, FEW) for what, one in QUESTIONS.items()]
        asked.append(("deep page of running campaigns", of_campaigns, 0.5, CAMPAIGNS, CAMPAIGNS))
        for what, ask, part, of_many, of_few in asked:
            places = (large, int(part * of_many)), (small, int(part * of_few))
            ours, floor = took_ms(ask, places)
            of = f"{what}, {many:,} executions (floor: {FEW:,})"
            rows.append(Row(of, "ms", ours, floor, "≤ 1.2", ours <= 1.2 * floor))
    show("Pages", rows, Setup("store of a projector", "none", ""))


if __name__ == "__main__":
    main()
