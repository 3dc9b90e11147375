"""Wait for what will be so, and not for a time."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], within_s: float = 30.0) -> None:
    """Return once it is so. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)
