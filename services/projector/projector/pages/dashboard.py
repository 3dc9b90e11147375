"""What every page is made with: queries, streams, and the health of what it is made from."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from campaigns.domain.api_keys import Caller
from campaigns.domain.moves import Status
from campaigns.http.door import RETRY_AFTER_S
from campaigns.log.lag import whole_lag
from campaigns.process.errors import OperatingError
from campaigns.process.metrics import SHARES_SPENT
from projector.feeds.hub import Hub
from projector.feeds.socket import TOO_MANY
from projector.pages.broadcast import Broadcasts, Render
from projector.pages.chronicle import Chronicles
from projector.pages.html import HEADERS
from projector.queries.freshness import Queries

LATE_S = 2.0  # Views that are further behind say so in colour.


@dataclass(frozen=True, slots=True)
class Strip:
    """The health of what a page shows: of the organization's campaigns, and of the views."""

    running: int
    calling: int
    open: int  # Permissions that are not resolved.
    late: int  # Calls, ever.
    behind_s: float
    behind_records: int
    log: str | None  # Why the log cannot be read. None: it can.
    rang_at: Any = None  # A datetime; None: nothing has rung.
    strict: bool = True  # Every carrier in use refuses a late ring.

    @property
    def stale(self) -> bool:
        """Say whether the views are so far behind that a page shows the past."""
        return self.behind_s >= LATE_S


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The dependencies of every page."""

    queries: Queries
    hub: Hub
    broadcasts: Broadcasts
    chronicles: Chronicles

    async def strip(self, organization_id: int, campaign_id: int | None = None) -> Strip:
        """Return the health of an organization's campaigns, or of one of them."""
        views = self.queries.views
        reader, troubles = views.reader, views.log.troubles([], [])
        try:
            await reader.look()
        except OperatingError as exc:
            troubles = [str(exc)]
        lag = whole_lag(reader.behind.lag(reader.visible, self.queries.now()))
        own = views.campaigns.by_id.values() if campaign_id is None else []
        if campaign_id is not None and (one := views.campaigns.get(campaign_id)) is not None:
            own = [one]
        running = calling = permissions = late = 0
        rang_at, strict = None, True
        for one in own:
            if one.created.organization_id != organization_id:
                continue
            late += one.late_calls
            if one.calls:
                begun = len(one.calling())
                calling, permissions = calling + begun, permissions + len(one.calls) - begun
            if one.rang_at is not None and (rang_at is None or one.rang_at > rang_at):
                rang_at = one.rang_at
            if one.status in (Status.RUNNING, Status.PAUSED) and not one.deleted:
                running += one.status is Status.RUNNING
                strict = strict and one.strict
        log = troubles[0] if troubles else None
        return Strip(
            running, calling, permissions, late, lag.seconds, lag.records, log, rang_at, strict
        )

    def streamed(
        self,
        request: Request,
        caller: Caller,
        key: Hashable,
        only: set[int] | None,
        render: Render,
    ) -> Response:
        """Return the stream of a part of a page, which counts as a connection of its key.

        Raises:
            HTTPException: 429, there are too many.

        """
        leave = self.hub.admit(caller)
        if leave is None:
            SHARES_SPENT.labels("sockets").inc()
            raise HTTPException(429, TOO_MANY, {"Retry-After": str(RETRY_AFTER_S)})

        async def events() -> Any:  # An async generator of bytes.
            try:
                async for some in self.broadcasts.stream(key, caller, only, render):
                    yield some
            finally:
                leave()

        return StreamingResponse(
            events(), headers=HEADERS, media_type="text/event-stream; charset=utf-8"
        )
