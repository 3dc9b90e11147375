"""Two real dialers of one group, each with the simulated carrier of its own that is the default."""

from pathlib import Path

import pytest

from tests.support.system import System

pytestmark = pytest.mark.kafka


def test_a_dialer_with_a_carrier_of_its_own_does_not_start_beside_another(
    tmp_path: Path, kafka_servers: str, namespace: str
) -> None:
    system = System(
        tmp_path, "parts", kafka=kafka_servers, namespace=namespace, partitions=2,
        session_timeout_s=6, carrier_check_s=0.5,
    )  # fmt: skip
    for process in system:
        process.environment.pop("DIALGATE_CARRIER_URL", None)
    del system.environment["DIALGATE_CARRIER_URL"]
    del system.processes["carrier"], system.processes["projector"]
    with system:
        second = system.another("dialer").spawn()
        assert second.wait(25) == 1
        said = second.output()
        assert "neither knows of the other's calls: give all of them one carrier process" in said
        assert "dialgate dialer on " not in said, "it does not say that it serves"
        assert "Traceback" not in said
        assert system["dialer"].running
        system["dialer"].stop()
        second.start()  # All dialers now have one carrier.
        second.stop()
