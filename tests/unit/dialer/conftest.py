"""What each test of the dialer leaves behind is closed, in the thread that made it."""

from collections.abc import Iterator

import pytest

from tests.unit.dialer.rig import OPENED


@pytest.fixture(autouse=True)
def closed_at_the_end() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
