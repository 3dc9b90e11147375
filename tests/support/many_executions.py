"""Fill a projector's store with as many executions and campaigns as are asked for, by SQL."""

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
_STATE = (
    "cast(replace(replace(cast(state as text), '\"execution_id\":1,', '\"execution_id\":'||i||','),"
    " '\"busy\"', '\"'||s||'\"') as blob)"
)


def journal_of_one() -> Journal:
    """Return a history whose campaign 1 has one execution, which was busy."""
    journal = Journal()
    journal.create(1, contacts=1)
    journal.start(1)
    journal.call(1, Disposition.BUSY)
    return journal


def multiply(store: ViewStore, executions: int, campaigns: int = 1) -> None:
    """Copy the execution and the campaign of `journal_of_one`, with the tallies that belong to it.

    SQLite only.
    """
    numbers = "with recursive n(i) as (select 2 union all select i + 1 from n where i < {0})"
    with store.writing() as tx:
        status = _STATUS.format(many=executions)
        tx.exec_driver_sql(
            f"{numbers.format(executions)}, e(i, s) as (select i, {status} from n)"
            f" insert into projector_executions select 1, i, 1, s, {_STATE}"
            " from projector_executions, e where execution_id = 1"
        )
        tally(tx, executions)
        if campaigns > 1:
            tx.exec_driver_sql(
                f"{numbers.format(campaigns)} insert into projector_campaigns"
                " select i, partition, organization_id, deleted,"
                " case when i % 3 then 'running' else 'paused' end, campaign_type, i % 5,"
                " created_at, searched || ' ' || i, cast(replace(cast(state as text),"
                " '\"campaign_id\":1,', '\"campaign_id\":'||i||',') as blob)"
                " from projector_campaigns, n where campaign_id = 1"
            )


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
