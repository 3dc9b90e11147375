"""Which part of a list is asked for, under both of the public contract's spellings; its answer.

A page is bounded in rows and in bytes. Neither spelling has a cursor, so a page that ended early
would look like the list's end, or leave rows out between two pages: one that is too heavy is
refused, and says how many rows would have fitted. Who asks for no number of rows is never refused:
PER_PAGE rows without their texts weigh 25 MB at the very most.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Query
from fastapi.exceptions import RequestValidationError

from campaigns.http.campaign_json import Shape
from projector.queries.parts import Parts

PAGE_MAX = 1000  # Source: public contract, list: per_page 1..1000; 8.3 #3: limit too.
PER_PAGE = 50
_NUMBER_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list, and how it was asked for."""

    page: int
    per_page: int
    skip: int
    limit: int
    named: str = "per_page"  # What its rows were asked for by.

    def answer(
        self,
        name: str,
        rows: Iterable[Shape],
        total: int,
        bytes_max: int,
        always: int = PER_PAGE,
    ) -> Parts:
        """Return a list's answer: the documented keys and the SDK's. Source: 8.3 #2, #4.

        `rows` are drawn one by one, so that no more of them stand in memory than fit. `always`: so
        many fit, whatever they weigh.

        Raises:
            RequestValidationError: its rows weigh more than `bytes_max`, as JSON and said once.

        """
        written, weight = list[bytes](), 0
        for row in rows:
            written.append(orjson.dumps(row))
            weight += len(written[-1]) + 1
            if weight > bytes_max and len(written) > always:
                raise self._too_heavy(bytes_max, len(written) - 1)
        every = b",".join(written)
        more = orjson.dumps(self._place(total))
        return Parts((b'{"%b":[' % name.encode(), every, b'],"items":[', every, b"]," + more[1:]))

    def _too_heavy(self, bytes_max: int, fitting: int) -> RequestValidationError:
        msg = f"these rows weigh more than {bytes_max // 2**20} MiB: ask for {fitting or 1} at most"
        error = {"loc": ("query", self.named), "msg": msg, "type": "value_error"}
        return RequestValidationError([error])

    def _place(self, total: int) -> Shape:
        pages = -(-total // self.per_page)
        return {
            "pagination": {
                "page": self.page,
                "per_page": self.per_page,
                "total_items": total,
                "total_pages": pages,
                "has_next": self.skip + self.limit < total,
                "has_prev": self.skip > 0,
            },
            "total": total,
            "skip": self.skip,
            "limit": self.limit,
        }


async def page_of(
    page: Annotated[int, Query(ge=1, le=_NUMBER_MAX)] = 1,
    per_page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PER_PAGE,
    skip: Annotated[int | None, Query(ge=0, le=_NUMBER_MAX)] = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
) -> Page:
    """Read the page that is asked for; `skip` and `limit` win where they are given (8.3 #3)."""
    if skip is None and limit is None:
        return Page(page, per_page, (page - 1) * per_page, per_page)
    skip, limit = skip or 0, limit or PER_PAGE
    return Page(skip // limit + 1, limit, skip, limit, "limit")
