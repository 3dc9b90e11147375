"""All views of a log as lines of JSON, in an order that two builds share: to compare them.

The first line names the tables and their columns; then comes a line a row, by table and key.
Contacts' details are personal: of them it says the digest alone.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Table

from campaigns.log.port import EventLog
from campaigns.records.installation import Installation
from campaigns.records.topics import Partition
from projector.rebuild import fold_to, restored
from projector.store.comparison import in_order, readable
from projector.store.tables import ABOUT, METADATA, ROWS
from projector.store.view_store import ViewStore

TABLES = sorted((one for one in METADATA.sorted_tables if one is not ABOUT), key=lambda t: t.name)


async def folded(
    log: EventLog, installation: Installation, ends: Mapping[Partition, int]
) -> ViewStore:
    """Fold the log up to `ends` into a temporary store, which is deleted when it is closed.

    Raises:
        ContractError: the log holds a fact that this build does not know.

    """
    store = ViewStore(None, None)
    try:
        await fold_to(await restored(store, log, installation, publishes=True), ends)
    except BaseException:
        store.close()
        raise
    return store


def first_line() -> bytes:
    """Return the first line, which is known before anything is folded."""
    return orjson.dumps({"tables": {str(one.name): _names(one) for one in TABLES}})


def lines(store: ViewStore, campaign_id: int | None = None) -> Iterator[bytes]:
    """Yield the other lines; with `campaign_id` only the rows that name this campaign."""
    with store.reading() as tx:
        for table in TABLES:
            if campaign_id is not None and "campaign_id" not in table.columns:
                continue
            names, size = _names(table), len(table.primary_key)
            for row in in_order(tx, table):
                written: dict[str, Any] = dict(zip(names, map(readable, row), strict=True))
                if campaign_id is not None and written["campaign_id"] != campaign_id:
                    continue
                if table is ROWS:
                    written["details"] = sha256(row[-1]).hexdigest()
                yield orjson.dumps({"table": str(table.name), "key": row[:size], "row": written})


def _names(table: Table) -> list[str]:
    return [str(column.name) for column in table.columns]
