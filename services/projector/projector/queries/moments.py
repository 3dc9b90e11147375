"""What a query about one campaign is answered from: the present, or with `as_of` the past."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Annotated, NamedTuple

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Connection

from campaigns.domain.campaign import Campaign
from projector.past.as_of import TEXT_MAX, AsOfError
from projector.past.time_travel import Past, TimeTravel

AsOfText = Annotated[
    str | None,
    Query(
        alias="as_of",
        max_length=TEXT_MAX,
        description="Answer as of this instant, with its offset, or of this position,"
        " `partition@position`. Without it: as of now.",
        examples=["2026-03-02T12:00:00Z", "0@812"],
    ),
]


class Moment(NamedTuple):
    """What a query about one campaign is answered from."""

    headers: dict[str, str]  # Of the answer.
    past: Past | None = None  # None: the present.

    @property
    def campaign(self) -> Campaign | None:
        """Return the campaign as it was. None: as the store has it."""
        return self.past.campaign if self.past is not None else None


@asynccontextmanager
async def contacts_at(
    travel: TimeTravel, past: Past | None
) -> AsyncIterator[Callable[[Connection], AbstractContextManager[Connection]]]:
    """Yield what opens a transaction with a campaign's contacts.

    It is given the views' own transaction, which it returns for the present.

    Raises:
        RequestValidationError: the history is too long.

    """
    if past is None:
        yield nullcontext
        return
    with about_as_of():
        async with travel.contacts(past) as store:
            yield lambda _: store.reading()


@contextmanager
def about_as_of(parameter: str = "as_of") -> Iterator[None]:
    """Answer 422, naming the parameter, when there is no such point."""
    try:
        yield
    except AsOfError as exc:
        error = {"loc": ("query", parameter), "msg": str(exc), "type": "value_error"}
        raise RequestValidationError([error]) from exc
