"""Answers queries: as fresh as the log, for one organization, in a thread beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, HTTPException, Query, Response
from sqlalchemy import Connection

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected
from campaigns.http.door import POSITION, CallerOf, etag, json_response, refusal
from campaigns.http.responses import ERRORS, ok
from campaigns.log.lag import backlog
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import NotFreshError, StoreUnavailableError
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    Partition,
    campaign_partition,
    campaign_partitions,
)
from projector.advance import Views
from projector.past.as_of import parsed, refuse_future
from projector.past.time_travel import TimeTravel
from projector.queries.campaign_pages import campaign_of
from projector.queries.moments import Moment, about_as_of
from projector.queries.parts import Parts, PartsResponse

FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {**ERRORS[404], "description": "The campaign belongs to another organization"}
}
_ERRORS = {  # A GET has no body, and every key may read.
    status: answer for status, answer in ERRORS.items() if status not in (403, 413)
}


class Consistency(StrEnum):
    """How fresh an answer must be."""

    LINEARIZABLE = "linearizable"  # Includes whatever was answered before the request.
    EVENTUAL = "eventual"  # Only what is folded already: does not wait.


Fresh = Annotated[Consistency, Query(alias="consistency")]


@dataclass(frozen=True, slots=True)
class Queries:
    """The dependencies of every query."""

    views: Views
    caller: CallerOf  # The dependency that authenticates.
    fresh_s: float
    page_max_bytes: int  # Of a list's rows as JSON, counted once.
    travel: TimeTravel
    now: Callable[[], datetime]

    @property
    def keys(self) -> ListKeys | None:
        """Return the keys of encrypted rows."""
        return self.views.log.list_keys

    @property
    def partitions(self) -> int:
        """Return the number of campaign partitions."""
        return self.views.log.partitions(CAMPAIGN_RECORDS)

    async def moment(
        self,
        campaign_id: int,
        caller: Caller,
        fresh: Consistency,
        as_of: str | None,
        *,
        forbidden: bool = False,
    ) -> Moment:
        """Catch up with a campaign's partition; return what to answer from.

        `forbidden`: another organization's campaign is 403, not 404 (contract 9.10).

        Raises:
            NotFreshError, LogUnavailableError: answered as 503.
            HTTPException: no such campaign for this caller, or not at that point.
            RequestValidationError: there is no such point.

        """
        if as_of is None:
            headers = await self.catch_up_with(campaign_id, caller, fresh, forbidden=forbidden)
            return Moment(headers)
        with about_as_of():
            point = parsed(as_of)
        partition = campaign_partition(campaign_id, self.partitions)
        await self.catch_up([partition], fresh)
        if point.place is not None and point.place[1] > self.reached(partition):
            await self.catch_up([partition], Consistency.LINEARIZABLE)
        self._check(campaign_id, caller, forbidden=forbidden)
        with about_as_of():
            refuse_future(point, self.now())
            past = await self.travel.past(campaign_id, point, self.reached(partition))
        if past.campaign.deleted:
            unknown()
        position = past.position if point.place is None else point.place[1]
        return Moment({POSITION: f"{partition.number}@{position}"}, past)

    def reached(self, partition: Partition) -> int:
        """Return the last position of a partition that queries show."""
        return self.views.reader.visible.get(partition, 0)

    def _check(self, campaign_id: int, caller: Caller, *, forbidden: bool) -> Campaign:
        """Return a folded campaign of the caller's organization.

        Raises:
            HTTPException: there is none.

        """
        campaign = self.views.campaigns.get(campaign_id)
        if campaign is None:
            unknown()
        if campaign.created.organization_id != caller.organization_id:
            if forbidden and not campaign.deleted:
                raise HTTPException(403, "Campaign belongs to another organization")
            unknown()
        return campaign

    async def catch_up_with(
        self, campaign_id: int, caller: Caller, fresh: Consistency, *, forbidden: bool = False
    ) -> dict[str, str]:
        """Catch up with a campaign's partition; return the headers of the answer.

        Raises:
            NotFreshError, LogUnavailableError: answered as 503.
            HTTPException: no such campaign for this caller.

        """
        headers = await self.catch_up([campaign_partition(campaign_id, self.partitions)], fresh)
        if self._check(campaign_id, caller, forbidden=forbidden).deleted:
            unknown()
        return headers

    async def catch_up_with_all(self, fresh: Consistency) -> dict[str, str]:
        """Catch up with all campaigns; return the headers of the answer."""
        return await self.catch_up(campaign_partitions(self.partitions), fresh)

    async def catch_up(self, partitions: Sequence[Partition], fresh: Consistency) -> dict[str, str]:
        """Catch up with partitions; return the headers of the answer.

        Raises:
            NotFreshError, LogUnavailableError, StoreUnavailableError: answered as 503.

        """
        reader = self.views.reader
        if (why := self.views.store.away) is not None:
            raise StoreUnavailableError(why)  # At once: the views stand still until it is back.
        if fresh is Consistency.LINEARIZABLE:
            try:
                await reader.catch_up(partitions, within_s=self.fresh_s)
            except NotFreshError as exc:
                raise NotFreshError(f"{exc}. {self.backlog(partitions)}") from exc
        at = (f"{one.number}@{reader.visible.get(one, 0)}" for one in partitions)
        return {POSITION: ",".join(at)}

    def backlog(self, partitions: Sequence[Partition]) -> str:
        """Say how far the views are behind the log, in a sentence."""
        reader = self.views.reader
        ends, visible = reader.behind.ends, reader.visible
        return backlog([(visible.get(one, 0), ends.get(one)) for one in partitions])

    async def read(
        self, question: Callable[[Connection], object], headers: dict[str, str]
    ) -> Response:
        """Answer from one snapshot of the store, in a thread: a long list blocks nobody else."""

        def answered() -> Response:
            with self.views.store.reading() as tx:
                return _response(question(tx), headers)

        return await asyncio.to_thread(answered)

    async def read_of(
        self,
        campaign_id: int,
        question: Callable[[Connection, Campaign], object],
        headers: dict[str, str],
        past: Campaign | None = None,
    ) -> Response:
        """Answer a query about an existing campaign, with the ETag of the version that was read.

        `past`: the campaign as it was. None: as the store has it.
        """

        def answered() -> Response:
            with self.views.store.reading() as tx:
                campaign = past or campaign_of(tx, campaign_id)
                if campaign is None:
                    unknown()  # It is folded, but its batch is not stored yet: it came meanwhile.
                at = headers | {"ETag": etag(campaign)}
                return _response(question(tx, campaign), at)

        return await asyncio.to_thread(answered)


def _response(answer: object, headers: dict[str, str]) -> Response:
    if isinstance(answer, Parts):
        return PartsResponse(answer, headers)
    return json_response(answer, headers=headers)


def unknown() -> NoReturn:
    """Answer that there is no such campaign.

    Raises:
        HTTPException: always.

    """
    raise refusal(Rejected(Reason.UNKNOWN_CAMPAIGN, "Campaign not found"))


def get(
    router: APIRouter,
    path: str,
    endpoint: Callable[..., object],
    answer: str,
    also: dict[int | str, dict[str, Any]] | None = None,
) -> None:
    """Add a query under GET, and under HEAD, which the OpenAPI document leaves out.

    `answer` names its schema. `also`: errors besides those of every query.
    """
    responses = {**_ERRORS, **(also or {}), **ok(answer, description="As it stands")}
    router.add_api_route(path, endpoint, methods=["GET"], responses=responses)
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
