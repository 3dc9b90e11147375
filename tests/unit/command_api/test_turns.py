"""Turns: organizations in a circle, each in its own order, even when some leave."""

import asyncio

from command_api.turns import Turns


async def test_who_floods_waits_behind_itself_alone() -> None:
    turns, served = Turns(100), list[str]()

    async def one(organization_id: int, name: str) -> None:
        async with turns.turn(organization_id):
            served.append(name)
            await asyncio.sleep(0)

    names = [(1, f"a{n}") for n in range(20)] + [(2, "b0"), (3, "c0"), (2, "b1")]
    await asyncio.gather(*(one(*name) for name in names))
    assert served[:6] == ["a0", "a1", "b0", "c0", "a2", "b1"]
    assert [name for name in served if name[0] == "a"] == [f"a{n}" for n in range(20)]


async def test_only_so_many_of_an_organization_wait() -> None:
    turns, go = Turns(2), asyncio.Event()

    async def one(organization_id: int) -> None:
        async with turns.turn(organization_id):
            await go.wait()

    tasks = [asyncio.create_task(one(1)) for _ in range(3)]
    await asyncio.sleep(0)
    assert turns.full(1)
    assert not turns.full(2)
    go.set()
    await asyncio.gather(*tasks)
    assert not turns.full(1)


async def test_who_leaves_in_the_middle_keeps_nobody_waiting() -> None:
    for when in range(6):
        turns, served = Turns(10), list[int]()

        async def one(
            organization_id: int, turns: Turns = turns, served: list[int] = served
        ) -> None:
            async with turns.turn(organization_id):
                await asyncio.sleep(0)
                served.append(organization_id)

        tasks = [asyncio.create_task(one(n)) for n in (1, 2, 2, 3)]
        for _ in range(when):
            await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[0].cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks, return_exceptions=True)
            await one(4)
        assert served[-3:] == [2, 3, 4] or served[-4:] == [2, 2, 3, 4] or set(served) >= {2, 3, 4}
