"""Raw bytes that are almost HTTP: no answer is a 500, nothing is thrown, nothing grows.

10,000 of them, always the same; GARBLED says how many others (`make soak`: 100,000).
"""

import asyncio
import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.attack.garbler import garbled
from tests.attack.instance import Instance, wait_for
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
USUAL = 10_000
COUNT = int(os.environ.get("GARBLED", USUAL))
SEED = 0 if COUNT == USUAL else random.SystemRandom().randrange(2**32)
AT_ONCE = 24
ANSWER_S = 0.15  # Who says nothing by then waits for the rest of it.
GROWTH_MAX_MB = 40
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


async def sent(port: int, raw: bytes) -> list[int]:
    """Send bytes; return the statuses of what comes back until there is no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = bytearray()
    try:
        writer.write(raw)
        async with asyncio.timeout(ANSWER_S):
            while piece := await reader.read(65_536):
                found += piece[:20_000]
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    return [int(status) for status in STATUS.findall(bytes(found))]


async def storm(port: int, seed: int, count: int) -> Counter[int]:
    """Send this many; return how often each status came, 0 for no answer."""
    dice, seen = random.Random(seed), Counter[int]()
    todo = iter(range(count))

    async def work() -> None:
        for _ in todo:
            raw = garbled(dice, KEY)
            statuses = await sent(port, raw)
            seen.update(statuses or [0])
            assert not [one for one in statuses if one == 500], raw

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return seen


def test_what_is_almost_http_breaks_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with Instance(tmp_path, descriptors=256) as instance:
        instance.create(contacts=[{"phone_number": "+15551234567"}])
        seen = asyncio.run(storm(instance.port, SEED, COUNT // 5))  # Until it is warm.
        wait_for(lambda: instance.sockets() < 5, "its connections are gone")
        before_mb, files = instance.rss_mb(), len(instance.descriptors())
        seen += asyncio.run(storm(instance.port, SEED + 1, COUNT - COUNT // 5))
        wait_for(lambda: instance.sockets() < 5, "its connections are gone")
        grown_mb = instance.rss_mb() - before_mb
        print(f"{dict(sorted(seen.items()))}, {grown_mb:.1f} MiB more")
        instance.quiet()
        assert instance.log_bytes() < 200_000
        assert grown_mb < GROWTH_MAX_MB
        wait_for(lambda: len(instance.descriptors()) <= files + 2, "its descriptors are free again")
        assert instance.ask("GET", "/health/ready")[0] == 200
    assert not {status for status in seen if status >= 500} - {503}
    some = COUNT // 500
    assert all(seen[status] > some for status in (0, 200, 400, 401, 404, 422)), "of each some"
    assert seen[101] > some // 10, "a few sockets began"
