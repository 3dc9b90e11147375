"""The floor: a bare FastAPI endpoint that only awaits aiokafka's `send_and_wait`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI

RECORD = b"x" * 500  # As long as a lifecycle record.


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the producer as the log does: idempotent, all acknowledgements."""
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["FLOOR_KAFKA"], acks="all", enable_idempotence=True
    )
    await producer.start()
    app.state.producer = producer
    yield
    await producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/{campaign_id}/pause")
async def pause(campaign_id: int) -> dict[str, str]:
    """Append one record and answer."""
    await app.state.producer.send_and_wait(
        "floor", RECORD, key=str(campaign_id).encode(), partition=campaign_id % 12
    )
    return {"message": "Campaign paused successfully"}
