"""The part of a list that is asked for, in both spellings of the public contract; its answer.

A page is bounded in rows and in bytes. Neither spelling has a cursor, so a page that ended early
would look like the end of the list, or omit rows between two pages: a page that is too heavy is
refused, and the refusal says how many rows fit. At least one row always fits, so that every list
can be read to its end.

A client that names no size has none to lower, so its page is always served: PER_PAGE rows without
texts, of at most ROW_MAX_BYTES each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from campaigns.http.campaign_json import Shape
from projector.queries.parts import Parts

PAGE_MAX = 1000  # Source: contract 1.3 row 1, 8.3 row 3.
PER_PAGE = 50
# The heaviest row of any list without `include`: a campaign's description, voicemail message,
# welcome and agenda of 20,000 characters each, of which JSON needs six bytes a character at most.
ROW_MAX_BYTES = 490_000
_NUMBER_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Page:
    """A range of a list, and how it was asked for."""

    page: int
    per_page: int
    skip: int
    limit: int
    size_name: str = "per_page"  # The parameter that sets its number of rows.
    sized: bool = True  # The client named the number of rows.

    def answer(
        self,
        name: str,
        rows: Iterable[Shape],
        total: int,
        bytes_max: int,
        *,
        texts: bool = False,
    ) -> Parts:
        """Return a list's answer, with the documented keys and the SDK's (contract 8.3 rows 2, 4).

        `rows` are drawn one by one, so that no more of them are in memory than fit. `texts`: the
        client asked for texts too, so the page is bounded even if it named no size.

        Raises:
            RequestValidationError: more than one row, and together they weigh more than
                `bytes_max` as JSON, each counted once; and the client can ask for less.

        """
        written, weight, bounded = list[bytes](), 0, self.sized or texts
        for row in rows:
            written.append(orjson.dumps(row))
            weight += len(written[-1]) + 1
            if bounded and weight > bytes_max and len(written) > 1:
                raise self._too_heavy(bytes_max, len(written) - 1)
        every = b",".join(written)
        more = orjson.dumps(self._place(total))
        return Parts((b'{"%b":[' % name.encode(), every, b'],"items":[', every, b"]," + more[1:]))

    def _too_heavy(self, bytes_max: int, fitting: int) -> RequestValidationError:
        msg = f"these rows weigh more than {bytes_max // 2**20} MiB: ask for {fitting} at most"
        error = {"loc": ("query", self.size_name), "msg": msg, "type": "value_error"}
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
    request: Request,
    page: Annotated[int, Query(ge=1, le=_NUMBER_MAX)] = 1,
    per_page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PER_PAGE,
    skip: Annotated[int | None, Query(ge=0, le=_NUMBER_MAX)] = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
) -> Page:
    """Read the requested page; `skip` and `limit` take precedence (contract 8.3 row 3)."""
    if skip is None and limit is None:
        sized = "per_page" in request.query_params
        return Page(page, per_page, (page - 1) * per_page, per_page, sized=sized)
    skip, sized, limit = skip or 0, limit is not None, limit or PER_PAGE
    return Page(skip // limit + 1, limit, skip, limit, "limit", sized)
