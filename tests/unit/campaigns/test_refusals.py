"""What a produce request's answer says about its records: exact, since a 503 repeats it."""

import aiokafka.errors as kafka
import pytest

from campaigns.kafka.refusals import never_there

BEFORE_WRITING = [10, 17, 18, 29, 31, 32, 43, 44, 45, 47, 59, 87]
PERHAPS_WRITTEN = [-1, 2, 3, 6, 7, 19, 20, 46, 56, 74, 76]


@pytest.mark.parametrize("code", BEFORE_WRITING)
def test_what_the_leader_checks_first_is_not_in_the_log(code: int) -> None:
    assert never_there(kafka.for_code(code)(), tries=1)


@pytest.mark.parametrize("code", BEFORE_WRITING)
def test_who_was_sent_before_may_be_there_by_that(code: int) -> None:
    assert not never_there(kafka.for_code(code)(), tries=2)


@pytest.mark.parametrize("code", PERHAPS_WRITTEN)
def test_every_other_answer_leaves_it_open(code: int) -> None:
    assert not never_there(kafka.for_code(code)(), tries=1)


def test_what_was_never_sent_is_not_in_the_log_whatever_ended_it() -> None:
    assert never_there(kafka.ProducerClosed(), tries=0)
    assert never_there(kafka.KafkaError("Unexpected error during batch delivery"), tries=0)


def test_a_connection_that_broke_leaves_it_open() -> None:
    for no in (
        kafka.KafkaConnectionError(),
        kafka.RequestTimedOutError(),
        OSError(),
        TimeoutError(),
    ):
        assert not never_there(no, tries=1)
