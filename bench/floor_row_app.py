"""The floor of the embedded log: a bare FastAPI endpoint that commits one row, synced."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bench.floor_app import RECORD


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the file as the log does: a write-ahead log, and a sync at each commit."""
    app.state.db = db = sqlite3.connect(os.environ["FLOOR_FILE"], isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("create table records (position integer primary key, record blob not null)")
    yield
    db.close()


app = FastAPI(lifespan=lifespan)


@app.post("/{campaign_id}/pause")
async def pause(campaign_id: int) -> dict[str, str]:
    """Commit one row and answer."""
    app.state.db.execute("insert into records (record) values (?)", (RECORD,))
    return {"message": "Campaign paused successfully"}
