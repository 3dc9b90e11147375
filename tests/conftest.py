"""Brokers for the tests marked `kafka`; properties take their time. No business fixtures."""

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.broker import Broker, Source, choose, find_broker, has_jars, has_java, required

# What a property says does not depend on how busy the machine is.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_NEEDS = (
    "no Kafka broker: set DIALGATE_KAFKA_SERVERS, or run a Docker engine, or install Java and Maven"
)


# What tests skip for want of, and how it is installed where Debian's packages are.
_INSTALLED_BY = {
    "caddy": "caddy",
    "chromium": "chromium",
    "faketime": "faketime",
    "PostgreSQL": "postgresql",
    "Kafka": "openjdk-17-jre-headless maven",
    "broker": "openjdk-17-jre-headless maven",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that has the dashboard's pictures taken anew: `make screenshots`."""
    parser.addoption(
        "--screenshots", metavar="DIR", help="write the dashboard's pictures there (docs/images)"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not tested on this machine, with the one line that would change it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    wanted = {
        package
        for word, package in _INSTALLED_BY.items()
        if any(word.lower() in reason.lower() for reason in reasons)
    }
    if wanted:
        terminalreporter.section("not tested on this machine")
        for report in skipped:
            terminalreporter.write_line(report.nodeid)
        terminalreporter.write_line(f"to test them too: apt-get install {' '.join(sorted(wanted))}")


def _without(reason: str) -> None:
    """Skip loudly, or fail where a broker is required (DIALGATE_REQUIRE_KAFKA or CI)."""
    if required(os.environ):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """Return the servers of the one broker of this session, started by the first who asks."""
    broker = find_broker()
    if broker is None:
        _without(_NEEDS)
        return
    yield broker.servers
    broker.stop()


@pytest.fixture
def namespace() -> str:
    """Return what keeps this test's topics apart from all others'."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Return a broker of this test's own, to be killed and frozen: always from the jars."""
    if choose({}, docker_answers=False, java=has_java(), maven=has_jars()) is Source.NOTHING:
        _without("no broker to kill: needs Java and Maven")
    own = Broker().start()
    yield own
    own.stop()
