"""Which connection is lent again."""

import asyncio

import pytest

from dialer.carrier.http.connections import CarrierConnections


async def test_a_connection_that_did_well_is_lent_again() -> None:
    connections = CarrierConnections("http://127.0.0.1:9", 1.0, 2)
    async with connections.one() as first:
        pass
    async with connections.one() as second:
        assert second is first
    await connections.close()


@pytest.mark.parametrize("failure", [OSError, asyncio.CancelledError])
async def test_a_connection_that_failed_is_never_lent_again(failure: type[BaseException]) -> None:
    """A dialer that was frozen while it placed calls never got some contacts called.

    Its clients woke to requests that had timed out, took their only connection for busy ever
    after, and were lent, as the last ones used, to every later request.
    """
    connections = CarrierConnections("http://127.0.0.1:9", 1.0, 1)
    with pytest.raises(failure):
        async with connections.one() as first:
            raise failure
    assert first.is_closed
    async with connections.one() as second:
        assert second is not first
    await connections.close()
