"""Which part of a list is asked for, under both of the public contract's spellings."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

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

    def envelope(self, name: str, items: list[dict[str, object]], total: int) -> dict[str, object]:
        """Return a list's answer: the documented keys and the SDK's. Source: 8.3 #2, #4."""
        pages = -(-total // self.per_page)
        return {
            name: items,
            "items": items,
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
    return Page(skip // limit + 1, limit, skip, limit)
