"""Several brokers are asked in turn; the first answer is enough. A broker may be gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from campaigns.kafka.silence import Silence, first_of

LONG_S = 30.0


class Asked:
    """Brokers that are asked, and the outcome of each."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.cancelled: list[str] = []

    def answers(self, name: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            self.began.append(name)
            return name

        return ask

    def silent(self, name: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            self.began.append(name)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            raise AssertionError("nobody answers")

        return ask

    def fails(self, name: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            self.began.append(name)
            raise OSError(name)

        return ask


async def test_one_who_answers_is_asked_alone() -> None:
    asked = Asked()
    assert await first_of([asked.answers("a"), asked.answers("b")], LONG_S) == "a"
    assert asked.began == ["a"]


async def test_the_next_is_asked_when_one_is_silent_and_the_silent_one_is_let_go() -> None:
    asked = Asked()
    assert await first_of([asked.silent("a"), asked.silent("b"), asked.answers("c")], 0.001) == "c"
    assert asked.began == ["a", "b", "c"]
    assert sorted(asked.cancelled) == ["a", "b"]


async def test_the_next_is_asked_at_once_when_one_fails() -> None:
    asked = Asked()
    assert await first_of([asked.fails("a"), asked.answers("b")], LONG_S) == "b"


async def test_when_all_fail_the_last_says_why() -> None:
    asked = Asked()
    with pytest.raises(OSError, match="b"):
        await first_of([asked.fails("a"), asked.fails("b")], LONG_S)


async def test_who_asks_may_give_up_and_nobody_is_left_asking() -> None:
    asked = Asked()
    asking = asyncio.ensure_future(first_of([asked.silent("a"), asked.silent("b")], 0.001))
    while len(asked.began) < 2:
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert sorted(asked.cancelled) == ["a", "b"]


def test_only_who_owes_answers_and_is_not_in_the_cluster_is_not_waited_for() -> None:
    silence = Silence()
    silence.owing[1] += 1
    assert set(silence.heard({1, 2, 3})) == set(), "slow, and there"
    assert set(silence.heard({1, 2})) == set(), "gone, and owes nothing"
    assert set(silence.heard({2, 3})) == {1}


def test_one_that_is_gone_is_asked_last_until_the_others_know_it_again() -> None:
    silence = Silence()
    silence.owing[1] += 1
    silence.heard({2, 3})
    silence.owing[1] -= 1
    silence.owing[2] += 1
    assert sorted([1, 2, 3], key=silence.rank) == [3, 2, 1]
    silence.heard({1, 2, 3})
    assert sorted([1, 2, 3], key=silence.rank) == [1, 3, 2]
