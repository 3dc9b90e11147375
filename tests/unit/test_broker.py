"""Where the tests' broker comes from: the choice alone."""

import pytest

from tests.support.broker import Source, choose, required

SERVERS = {"DIALGATE_KAFKA_SERVERS": "127.0.0.1:9092"}


@pytest.mark.parametrize(
    ("environment", "docker", "java", "maven", "expected"),
    [
        (SERVERS, True, True, True, Source.SERVERS),
        ({"DIALGATE_KAFKA_SERVERS": ""}, True, True, True, Source.DOCKER),
        ({}, True, False, False, Source.DOCKER),
        ({}, False, True, True, Source.JARS),
        ({}, False, True, False, Source.NOTHING),
        ({}, False, False, True, Source.NOTHING),
    ],
)
def test_the_first_source_that_exists_is_chosen(
    environment: dict[str, str], docker: bool, java: bool, maven: bool, expected: Source
) -> None:
    assert choose(environment, docker_answers=docker, java=java, maven=maven) is expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"DIALGATE_REQUIRE_KAFKA": "1"}, True),
        ({"CI": ""}, False),
    ],
)
def test_ci_insists_on_a_broker(environment: dict[str, str], expected: bool) -> None:
    assert required(environment) is expected
