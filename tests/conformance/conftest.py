"""One system for all tests of the contract: on the embedded log, and on Kafka.

On Kafka run those that are marked `both_logs`; with CONTRACT_ON_KAFKA=all (`make soak`) all.
"""

import os
from collections.abc import Iterator

import pytest

from tests.conformance.session import OTHERS, Asking
from tests.support.system import System

EMBEDDED, KAFKA = "embedded", pytest.param("kafka", marks=pytest.mark.kafka)
ALL = os.environ.get("CONTRACT_ON_KAFKA") == "all"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the logs that it is for."""
    if "system" not in metafunc.fixturenames:
        return
    both = ALL or any(metafunc.definition.iter_markers("both_logs"))
    metafunc.parametrize("system", [EMBEDDED, KAFKA] if both else [EMBEDDED], indirect=True)


@pytest.fixture(scope="session")
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Return a running system of two organizations, as a user starts it."""
    folder = tmp_path_factory.mktemp(f"contract-{request.param}")
    kafka, namespace = None, ""
    if request.param == "kafka":
        kafka, namespace = request.getfixturevalue("kafka_servers"), f"{folder.name}."
    with System(
        folder, kafka=kafka, namespace=namespace, api_keys=f"{OTHERS}:2", import_rows_max=20_000
    ) as running:
        yield running


@pytest.fixture
def api(system: System) -> Iterator[Asking]:
    """Return organization 1's client."""
    asking = Asking(system)
    yield asking
    asking.http.close()


@pytest.fixture
def others(system: System) -> Iterator[Asking]:
    """Return organization 2's client."""
    asking = Asking(system, OTHERS)
    yield asking
    asking.http.close()
