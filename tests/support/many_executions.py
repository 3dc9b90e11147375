"""Fill a projector's store with as many executions and campaigns as are asked for, by SQL."""

import sqlite3
from contextlib import closing

from sqlalchemy import Connection

from campaigns.domain.facts import Disposition
from projector.store.tallies.execution_tallies import BLOCK
from projector.store.view_store import ViewStore
from tests.support.journal import Journal

# By an execution's number: two of three were reached, and the newest two are in progress.
_STATUS = (
    "case when i > {many} - 2 then 'in_progress' when i % 3 then 'completed'"
    " when i % 2 then 'busy' else 'failed' end"
)

_INDEX = "projector_executions_standing"
_NUMBERS = "with recursive n(i) as (select 2 union all select i + 1 from n where i < {0})"


def journal_of_one() -> Journal:
    """Return a history whose campaign 1 has one execution, which was busy."""
    journal = Journal()
    journal.create(1, contacts=1)
    journal.start(1)
    journal.call(1, Disposition.BUSY)
    return journal


def multiply(store: ViewStore, executions: int, campaigns: int = 1) -> None:
    """Copy the execution and the campaign of `journal_of_one`, with the tallies that belong to it.

    SQLite only, and nobody else has the store open: 10,000,000 rows are written without a journal,
    and their index is sorted.
    """
    with store.reading():  # It has a file once it was asked.
        pass
    store.disconnect()
    with closing(sqlite3.connect(store.where, isolation_level=None)) as db:
        for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -500000"):
            db.execute(f"pragma {pragma}")
        db.execute("begin")
        (index,) = db.execute(f"select sql from sqlite_master where name = '{_INDEX}'").fetchone()
        db.execute(f"drop index {_INDEX}")
        status = _STATUS.format(many=executions)
        db.execute(
            f"{_NUMBERS.format(executions)}, e(i, s) as (select i, {status} from n)"
            " insert into projector_executions"
            " select 1, i, 1, s, cast(? || i || ? || s || ? as blob) from e",
            _around_number_and_status(db),
        )
        db.execute(index)
        if campaigns > 1:
            db.execute(
                f"{_NUMBERS.format(campaigns)} insert into projector_campaigns"
                " select i, partition, organization_id, deleted,"
                " case when i % 3 then 'running' else 'paused' end, campaign_type, i % 5,"
                " created_at, searched || ' ' || i, cast(replace(cast(state as text),"
                " '\"campaign_id\":1,', '\"campaign_id\":'||i||',') as blob)"
                " from projector_campaigns, n where campaign_id = 1"
            )
        db.execute("commit")
        db.execute("pragma journal_mode = wal")
    with store.writing() as tx:
        tally(tx, executions)


def _around_number_and_status(db: sqlite3.Connection) -> tuple[str, str, str]:
    """Return the parts of an execution's state around its number and its status."""
    (state,) = db.execute("select cast(state as text) from projector_executions").fetchone()
    before, number, rest = state.partition('"execution_id":1')
    between, status, after = rest.partition('"busy"')
    return before + number[:-1], between + status[0], status[-1] + after


def tally(tx: Connection, executions: int) -> None:
    """Write the tallies of campaign 1 as the fold would have them."""
    begun = tx.exec_driver_sql(
        "select min(execution_id) from projector_executions"
        " where campaign_id = 1 and status = 'in_progress'"
    ).scalar()
    full = ((executions if begun is None else begun - 1) // BLOCK) * BLOCK
    tx.exec_driver_sql(
        "insert into projector_tallies select 1, status, block,"
        " sum(many) over (partition by status order by block) from ("
        f" select status, (execution_id - 1) / {BLOCK} as block, count(*) as many"
        f" from projector_executions where campaign_id = 1 and execution_id <= {full}"
        " and status <> 'in_progress' group by 1, 2)"
    )
