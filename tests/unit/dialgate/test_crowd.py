"""Which connections make room when all places are taken, and which do not."""

import asyncio

from dialgate.connections.bounds import Bounds
from dialgate.connections.crowd import ANSWERED, TURNS, Crowd, Stall


class Client:
    """A connection that notes whether it was dropped."""

    def __init__(self, organization_id: int | None = None, unsent: int = 0) -> None:
        self.organization_id, self.dropped, self._unsent = organization_id, False, unsent
        self.waits = True

    def overdue(self, now_s: float) -> str | None:
        return None

    def unsent_bytes(self) -> int:
        return 0 if self.dropped else self._unsent

    def drop(self) -> None:
        self.dropped = True


async def crowd(*clients: Client, places: int = 4) -> Crowd:
    """Return a crowd with this many places, whose clients have been read from."""
    made = Crowd(Bounds(connections_max=places))
    assert all(made.enter(one) for one in clients)
    await turns(TURNS)
    return made


async def turns(count: int) -> None:
    """Run this many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_there_is_room_until_there_is_none() -> None:
    clients = [Client() for _ in range(4)]
    await crowd(*clients)
    assert not any(one.dropped for one in clients)


async def test_who_has_waited_longest_makes_room() -> None:
    clients = [Client() for _ in range(4)]
    full = await crowd(*clients)
    full.begins_to_wait(clients[0])  # It was served meanwhile.
    assert full.enter(Client())
    assert [one.dropped for one in clients] == [False, True, False, False]


async def test_who_waits_for_us_keeps_its_place() -> None:
    clients = [Client() for _ in range(4)]
    full = await crowd(*clients)
    for one in clients:
        one.waits = False
    assert not full.enter(Client()), "no connection can make room"
    clients[3].waits = True
    assert full.enter(Client())
    assert clients[3].dropped


async def test_who_has_most_places_makes_room_with_a_key_or_without() -> None:
    neighbour = Client(2)
    greedy = [Client(1) for _ in range(3)]
    full = await crowd(neighbour, *greedy)
    newcomers = [Client() for _ in range(2)]
    assert all(full.enter(one) for one in newcomers)
    assert [one.dropped for one in greedy] == [True, True, False]
    assert not neighbour.dropped and not any(one.dropped for one in newcomers)
    await turns(TURNS)
    assert full.enter(Client()), "now strangers have most"
    assert newcomers[0].dropped and not greedy[2].dropped


async def test_a_key_that_is_shown_later_counts_from_then_on() -> None:
    clients = [Client() for _ in range(4)]
    full = await crowd(*clients)
    full.assign(clients[0], 1)
    assert full.enter(Client())
    assert clients[1].dropped


async def test_who_leaves_makes_room_for_good() -> None:
    clients = [Client() for _ in range(4)]
    full = await crowd(*clients)
    full.leave(clients[2])
    assert full.enter(Client())
    assert not any(one.dropped for one in clients)
    full.leave(clients[2])  # Once more, as a connection that was dropped does.
    assert full.enter(Client())
    assert clients[0].dropped


async def test_who_was_not_read_from_yet_keeps_its_place() -> None:
    """Nobody is displaced in the turn in which he came, however many come behind him."""
    clients = [Client() for _ in range(4)]
    full = await crowd(*clients)
    newcomers = [Client() for _ in range(4)]
    assert all(full.enter(one) for one in newcomers)
    assert all(one.dropped for one in clients), "who was heard makes room"
    later = Client()
    assert full.enter(later), "over the bound, for a turn or two"
    assert not full.accepts, "and no more are accepted meanwhile"
    for _ in range(TURNS - 1):
        await turns(1)
        assert not any(one.dropped for one in newcomers)
    await turns(1)
    assert full.accepts
    assert full.enter(Client())
    assert [one.dropped for one in newcomers] == [True, True, False, False], "it is back in bounds"
    assert not later.dropped


async def test_newcomers_of_each_turn_have_as_many_turns() -> None:
    full, came = await crowd(places=1), list[Client]()
    for turn in range(2 * TURNS):
        came.append(Client())
        assert full.enter(came[-1])
        # The loop may begin TURNS turns before it reads from who has just come.
        assert not any(one.dropped for one in came[-(TURNS - 1) :]), turn
        await turns(1)
    assert came[0].dropped


async def test_a_turn_counts_once_whoever_came_and_went_in_it() -> None:
    full, one = await crowd(places=1), Client()
    for _ in range(5):
        gone = Client()
        assert full.enter(gone)
        full.leave(gone)
    assert full.enter(one)
    await turns(TURNS - 1)
    assert full.enter(Client()), "over the bound: one may not have been read from"
    assert not one.dropped


async def test_who_had_its_last_answer_makes_room_first() -> None:
    answered, greedy = Client(2), [Client(1) for _ in range(3)]
    full = await crowd(*greedy, answered)
    full.assign(answered, ANSWERED)
    assert full.enter(Client())
    assert answered.dropped and not any(one.dropped for one in greedy)


async def test_answers_that_nobody_takes_are_bounded_together() -> None:
    clients = [Client(1, 40 * 2**20), Client(2, 20 * 2**20), Client(3, 20 * 2**20)]
    full = await crowd(*clients)
    for one in clients:
        full.note_unsent(one, one.unsent_bytes())
    assert [one.dropped for one in clients] == [True, False, False], "64 MiB: the oldest goes"
    full.note_unsent(clients[1], 60 * 2**20)
    assert clients[1].dropped


class Slow(asyncio.Transport):
    """A transport whose unsent bytes the test sets."""

    left = 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def get_write_buffer_size(self) -> int:
        return self.left


async def test_how_long_a_client_takes_nothing_is_measured_from_its_last_byte() -> None:
    transport = Slow()
    stall = Stall(transport)
    found = []
    for now_s, left in enumerate((0, 9, 9, 9, 8, 8, 12, 12, 0, 5)):
        transport.left = left
        found.append(stall.lasts_s(now_s))
    assert found == [0, 0, 1, 2, 0, 1, 2, 3, 0, 0], "what is added is no progress"
