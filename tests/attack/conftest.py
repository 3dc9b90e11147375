"""One instance for the attacks of a file that leave it as it was; others start their own."""

from collections.abc import Iterator

import pytest

from tests.attack.instance import Instance


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Return a running instance with the limits of an ordinary process."""
    with Instance(tmp_path_factory.mktemp("attacked"), descriptors=256) as running:
        yield running
