"""A page is bounded in bytes, and nothing is left out of a list in silence."""

from collections.abc import Iterator

import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from campaigns.http.campaign_json import Shape
from projector.queries.page import PER_PAGE, Page
from projector.queries.parts import Parts, PartsResponse

PAGE = Page(2, 3, 3, 3)


def rows(*sizes: int) -> Iterator[Shape]:
    for number, size in enumerate(sizes):
        yield {"id": number, "text": "x" * size}


def test_an_answer_says_its_rows_under_both_names_and_holds_them_once() -> None:
    parts = PAGE.answer("contacts", rows(1, 2, 3), 7, 1000)
    found = orjson.loads(b"".join(parts))
    assert found["contacts"] == found["items"] == list(rows(1, 2, 3))
    assert found["pagination"] == {
        "page": 2, "per_page": 3, "total_items": 7, "total_pages": 3,
        "has_next": True, "has_prev": True,
    }  # fmt: skip
    assert (found["total"], found["skip"], found["limit"]) == (7, 3, 3)
    assert parts[1] is parts[3]


def test_an_empty_page_is_an_answer() -> None:
    found = orjson.loads(b"".join(PAGE.answer("campaigns", iter(()), 0, 1000)))
    assert (found["campaigns"], found["items"], found["total"]) == ([], [], 0)


@pytest.mark.parametrize(
    ("page", "named"), [(PAGE, "per_page"), (Page(1, 3, 0, 3, "limit"), "limit")]
)
def test_a_page_that_is_too_heavy_says_how_many_rows_would_fit(page: Page, named: str) -> None:
    drawn = list[int]()

    def drawing() -> Iterator[Shape]:
        for row in rows(*[100] * 50):
            drawn.append(row["id"])
            yield row

    with pytest.raises(RequestValidationError) as no:
        page.answer("contacts", drawing(), 50, 1000)
    (error,) = no.value.errors()
    assert error["loc"] == ("query", named)
    assert "ask for 8 at most" in error["msg"]
    assert drawn == list(range(9)), "no more of them were made than had to be weighed"
    assert page.answer("contacts", rows(*[100] * 8), 50, 1000)


def test_a_page_of_which_nobody_named_the_size_is_served_unless_it_has_its_texts() -> None:
    page = Page(1, PER_PAGE, 0, PER_PAGE, sized=False)
    assert page.answer("campaigns", rows(*[1000] * PER_PAGE), 60, 1000)
    with pytest.raises(RequestValidationError, match="ask for 1 at most"):
        page.answer("campaigns", rows(*[1000] * PER_PAGE), 60, 1500, texts=True)


@pytest.mark.parametrize("size", [2, PER_PAGE - 1, PER_PAGE, PER_PAGE + 1])
def test_a_small_page_is_bounded_as_a_large_one_is(size: int) -> None:
    with pytest.raises(RequestValidationError, match="ask for 1 at most"):
        Page(1, size, 0, size).answer("campaigns", rows(*[1000] * size), 60, 1500)


@pytest.mark.parametrize("texts", [False, True])
def test_one_row_is_served_whatever_it_weighs(texts: bool) -> None:
    assert Page(3, 1, 2, 1).answer("campaigns", rows(5000), 60, 1000, texts=texts)
    with pytest.raises(RequestValidationError, match="ask for 1 at most"):
        Page(1, 2, 0, 2).answer("campaigns", rows(5000, 1), 60, 1000, texts=texts)


async def test_parts_are_sent_slice_by_slice_and_are_one_body() -> None:
    big = b"x" * 200_000
    sent = list[dict[str, object]]()

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    response = PartsResponse(Parts((b"[", big, b",", big, b"]")), {"etag": "1"})
    await response({"type": "http"}, None, send)  # type: ignore[arg-type]  # Nothing is received.
    start, *bodies = sent
    headers = dict(start["headers"])  # type: ignore[call-overload]  # Pairs.
    assert headers[b"content-length"] == b"400003"
    assert (headers[b"etag"], headers[b"content-type"]) == (b"1", b"application/json")
    pieces = [bytes(message["body"]) for message in bodies]  # type: ignore[call-overload]  # Bytes.
    assert b"".join(pieces) == b"[" + big + b"," + big + b"]"
    assert max(map(len, pieces)) <= 65_536
    assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [
        False
    ]
