"""Two workers of pytest draw from different ports, and nobody draws one twice."""

import socket

import pytest

from tests.support.ports import Ports, share

NUMBERS = range(20_000, 20_100)


def of(worker: int, workers: int) -> set[int]:
    environment = {
        "PYTEST_XDIST_WORKER": f"gw{worker}", "PYTEST_XDIST_WORKER_COUNT": str(workers),
    }  # fmt: skip
    return set(share(NUMBERS, environment))


def test_workers_share_the_ports_and_have_none_together() -> None:
    shares = [of(worker, 3) for worker in range(3)]
    assert set.union(*shares) == set(NUMBERS)
    assert sum(map(len, shares)) == len(NUMBERS)
    assert set(share(NUMBERS, {})) == set(NUMBERS), "one process alone has them all"


def test_a_port_comes_again_only_after_all_others_and_a_bound_one_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)  # Whichever worker runs it, all are drawn from.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        number = bound.getsockname()[1]
        ports = Ports(range(number, number + 1000))
        given = [ports.free() for _ in range(300)]
        assert number not in given
    assert len(set(given)) == len(given)
