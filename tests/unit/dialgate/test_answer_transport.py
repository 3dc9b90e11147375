"""Head and body of an answer are one write, and nothing is held for longer than a turn."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dialgate.connections.http_connection import HELD_MAX_BYTES, AnswerTransport


class Sent(asyncio.Transport):
    """What an asyncio transport was given."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
async def sent() -> Sent:
    return Sent()


@pytest.fixture
async def out(sent: Sent) -> AnswerTransport:
    protocol: Any = SimpleNamespace(
        transport=sent, loop=asyncio.get_running_loop(), answered=sent.close
    )
    return AnswerTransport(protocol)


async def test_head_and_body_are_one_write(sent: Sent, out: AnswerTransport) -> None:
    for number in (b"1", b"2"):
        out.write(b"head" + number)
        out.write(b"body" + number)
    assert sent.pieces == [b"head1body1", b"head2body2"]
    await asyncio.sleep(0)
    assert len(sent.pieces) == 2


async def test_a_head_whose_body_does_not_come_is_sent_in_the_next_turn(
    sent: Sent, out: AnswerTransport
) -> None:
    out.write(b"head")
    assert sent.pieces == []
    await asyncio.sleep(0)
    assert sent.pieces == [b"head"]


async def test_a_large_body_comes_behind_its_head_and_is_not_copied(
    sent: Sent, out: AnswerTransport
) -> None:
    large = b"x" * (HELD_MAX_BYTES + 1)
    for piece in (b"head", large, b"rest"):
        out.write(piece)
    await asyncio.sleep(0)
    assert sent.pieces == [b"head", large, b"rest"]


async def test_what_is_held_is_sent_before_the_answer_ends(
    sent: Sent, out: AnswerTransport
) -> None:
    out.write(b"head")
    out.close()
    assert (sent.pieces, sent.closed) == ([b"head"], True)


async def test_nothing_is_written_into_a_connection_that_has_gone(
    sent: Sent, out: AnswerTransport
) -> None:
    out.write(b"head")
    sent.close()
    await asyncio.sleep(0)
    assert sent.pieces == []


async def test_nothing_is_sent_after_the_end(sent: Sent, out: AnswerTransport) -> None:
    out.write(b"head")
    out.end()
    out.write(b"100 Continue")
    await asyncio.sleep(0)
    assert sent.pieces == [b"head"]
