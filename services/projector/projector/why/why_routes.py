"""GET of why a contact is not called now, and of what became of it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Response
from sqlalchemy import Connection

from campaigns.audit.contact_history import ErasedThrough, HistoryEntry, entries_of
from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.http.campaign_json import Shape
from campaigns.http.door import ID_MAX, CampaignId
from campaigns.log.selection import selected
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import campaign_partition
from projector.queries.freshness import Consistency, Fresh, Queries, get
from projector.store import record_index
from projector.why.turns import contact_of, shut
from projector.why.why_shapes import why_shape

# The campaign's latest own records in which a contact's facts are looked for: about a second.
HISTORY_RECORDS_MAX = 30_000

ContactId = Annotated[int, Path(ge=1, le=ID_MAX)]


def router(queries: Queries) -> APIRouter:
    """Return the route, bound to one instance."""
    routes = APIRouter(prefix="/api/v1/campaigns", tags=["campaigns"])
    Who = Annotated[Caller, Depends(queries.caller)]  # noqa: N806  (a type)

    async def get_why(
        campaign_id: CampaignId,
        contact_id: ContactId,
        caller: Who,
        consistency: Fresh = Consistency.LINEARIZABLE,
    ) -> Response:
        """Get which gate keeps a contact from being called now, and what became of it."""
        headers = await queries.catch_up_with(campaign_id, caller, consistency)
        history, history_from = await history_of(queries, campaign_id, contact_id)

        def asked(tx: Connection, campaign: Campaign) -> Shape:
            contact = contact_of(tx, campaign, contact_id)
            if contact is None:
                raise HTTPException(404, "Contact not found")
            no = shut(tx, campaign, contact, queries.now(), queries.keys)
            return why_shape(campaign, contact, no, history, history_from)

        return await queries.read_of(campaign_id, asked, headers)

    get(routes, "/{campaign_id}/contacts/{contact_id}/why", get_why, "WhyAnswer")
    return routes


async def history_of(
    queries: Queries, campaign_id: int, contact_id: int
) -> tuple[list[HistoryEntry], str | None]:
    """Return a contact's facts, and from which position on they were looked for, if not from 0."""
    partition = campaign_partition(campaign_id, queries.partitions)
    reached = queries.views.reader.positions.get(partition, 0)

    def found() -> Sequence[int]:
        with queries.views.store.reading() as tx:
            return record_index.positions(tx, campaign_id, 0, reached)

    positions = await asyncio.to_thread(found)
    looked_at = positions[-HISTORY_RECORDS_MAX:]
    entries, erased = list[HistoryEntry](), ErasedThrough()

    def take(records: Sequence[Recorded]) -> None:
        for recorded in records:
            entries.extend(entries_of(recorded, campaign_id, contact_id, erased))

    async for some in selected(queries.views.log, partition, looked_at):
        await asyncio.to_thread(take, some)
    cut = len(looked_at) < len(positions)
    return entries, f"{partition.number}@{looked_at[0]}" if cut else None
