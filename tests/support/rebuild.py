"""State served = state rebuilt, row by row: stores are thrown away and made from the log again.

    same_when_rebuilt(system, client, campaigns)                # what people ask: the projector's
    same_when_rebuilt(system, client, campaigns, whole=True)    # every service's

After the run; the processes in question are stopped in the end. Twice the same is asked and
dumped: of the stores that lived through the run, with its checkpoints, kills and half-written
saves, and of stores that have only ever seen the log. No test in here.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from campaigns.stores.checkpoint import remove
from tests.support.client import Client
from tests.support.system import Process, System

Rows = Mapping[str, list[Any]]  # Any: what SQLite holds.
STORES: Sequence[str] = ("command-api.db", "dialer.db", "projector.db")
PATHS = ("", "/progress", "/contacts", "/executions", "/schedule")
# What time changes: a dialer's tokens when it last saved, events that are still to be published.
OF_TIME = frozenset({"buckets", "projector_outbox"})


def served(client: Client, campaign_id: int) -> list[Any]:
    """Return all that is served of a campaign. Any: JSON."""
    return [client.get(f"/{campaign_id}{path}") for path in PATHS]


def rows(store: Path) -> Rows:
    """Return every row of a store that is closed, sorted."""
    with closing(sqlite3.connect(store)) as db:
        names = [
            name for (name,) in db.execute("select name from sqlite_master where type='table'")
        ]
        return {
            name: sorted(db.execute(f"select * from {name}"), key=repr)
            for name in names
            if name not in OF_TIME
        }


def same_when_rebuilt(
    system: System, client: Client, campaigns: Sequence[int], *, whole: bool = False
) -> int:
    """Throw stores away, start again, and compare. Returns how many rows were compared.

    The campaigns must be at rest, or the second look would rightly see more.
    """
    whole = whole or "up" in system.processes
    processes = list(system) if whole else [system["projector"]]
    stores = STORES if whole else STORES[-1:]
    if "up" in system.processes:  # The dialer shares the first (ADR-0033).
        stores = [one for one in stores if one != "dialer.db"]
    answers = {one: served(client, one) for one in campaigns}
    _stop(processes)
    kept = {store: rows(system.data_dir / store) for store in stores}
    for store in stores:
        remove(system.data_dir / store)
    system.start()
    for one in campaigns:
        assert served(client, one) == answers[one], f"campaign {one}: another answer when rebuilt"
    _stop(processes)
    for store, tables in kept.items():
        made = rows(system.data_dir / store)
        assert made.keys() == tables.keys(), store
        for table, before in tables.items():
            differ = [pair for pair in zip(before, made[table], strict=False) if len(set(pair)) > 1]
            counts = f"{len(before)} rows, {len(made[table])} when rebuilt"
            assert before == made[table], f"{store}, {table}: {counts}: {differ[:3]}"
    return sum(len(found) for tables in kept.values() for found in tables.values())


def _stop(processes: Sequence[Process]) -> None:
    for process in reversed(processes):  # The carrier last.
        process.stop()
