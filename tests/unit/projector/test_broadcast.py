"""Parts of pages: rendered once for all readers, newest first, and ended when they must be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from campaigns.domain.api_keys import Caller
from campaigns.domain.campaigns import Campaigns
from campaigns.http.shares import Shares
from campaigns.process.errors import NotFreshError
from projector.feeds.hub import Hub
from projector.pages.broadcast import Broadcasts
from projector.queries.freshness import unknown

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
READERS = 200


class Board:
    """Something to look at, and how often it was rendered."""

    def __init__(self) -> None:
        self.hub = Hub(Campaigns(), 1000, Shares(1000, 1000))
        self.broadcasts = Broadcasts(self.hub, lambda: NOW)
        self.text = "first"
        self.rendered = Counter[str]()
        self.fails: Exception | None = None
        self.failed = 0

    async def render(self) -> str:
        if self.fails is not None:
            self.failed += 1
            raise self.fails
        self.rendered[self.text] += 1
        return self.text

    def stream(self, key: str = "k", organization: int = 1) -> AsyncIterator[bytes]:
        caller = Caller(organization, "somebody", key)
        return self.broadcasts.stream("page", caller, {1}, self.render)

    def change(self) -> None:
        """Tell as the hub does; campaign 0 stands for one of organization 0."""
        for listeners in self.hub._of_organization.values():
            for listener in listeners:
                if listener.only == {1}:
                    listener.notified.set()


async def text_of(stream: AsyncIterator[bytes], holds: bytes) -> bytes:
    async with asyncio.timeout(20):
        async for some in stream:
            if holds in some:
                return some
    raise AssertionError(f"expected {holds!r} before the stream ended")


async def test_two_hundred_readers_cost_one_rendering() -> None:
    board = Board()
    streams = [board.stream() for _ in range(READERS)]
    await asyncio.gather(*(text_of(one, b"first") for one in streams))
    assert board.rendered["first"] == 1
    board.text = "second\nof two lines"
    board.change()
    found = await asyncio.gather(*(text_of(one, b"second") for one in streams))
    assert set(found) == {b"data: second\ndata: of two lines\n\n"}
    assert board.rendered[board.text] == 1


async def test_a_revoked_key_ends_its_streams_and_no_other() -> None:
    board = Board()
    revoked, other = board.stream("revoked"), board.stream("other")
    await text_of(revoked, b"first")
    await text_of(other, b"first")
    board.hub.revoked("revoked")
    await text_of(revoked, b"event: signed-out")
    assert [one async for one in revoked] == []
    board.text = "second"
    board.change()
    await text_of(other, b"second")


async def test_what_is_gone_ends_its_streams() -> None:
    board = Board()
    stream = board.stream()
    await text_of(stream, b"first")
    try:
        unknown()
    except Exception as exc:
        board.fails = exc
    board.change()
    await text_of(stream, b"event: gone")


@pytest.mark.parametrize("fails", [NotFreshError("behind"), ValueError("a fault of ours")])
async def test_while_it_cannot_be_rendered_the_last_edition_stays(fails: Exception) -> None:
    board = Board()
    stream = board.stream()
    await text_of(stream, b"first")
    board.fails = fails
    board.change()
    async with asyncio.timeout(20):
        while not board.failed:
            await asyncio.sleep(0.01)
    board.fails, board.text = None, "second"
    board.change()
    await text_of(stream, b"second")


async def test_a_process_that_stops_ends_them_all_and_signs_nobody_out() -> None:
    board = Board()
    stream = board.stream()
    await text_of(stream, b"first")
    board.broadcasts.close()
    async with asyncio.timeout(20):
        assert [one async for one in stream] == []


async def test_the_last_reader_ends_the_channel() -> None:
    board = Board()
    stream = board.stream()
    await text_of(stream, b"first")
    assert board.broadcasts._channels
    await stream.aclose()  # type: ignore[attr-defined]  # An async generator.
    assert not board.broadcasts._channels
