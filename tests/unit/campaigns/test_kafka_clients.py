"""What the Kafka client says is said sparingly: an outage is one story."""

import logging
import time

from campaigns.kafka_clients import Sparingly


def said(quiet: Sparingly, words: str, *more: object) -> bool:
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, words, more, None)
    return quiet.filter(record)


def test_the_same_words_are_said_once_in_a_while() -> None:
    quiet = Sparingly(quiet_s=0.05)
    assert [said(quiet, "lost %s", n) for n in range(3)] == [True, False, False]
    assert said(quiet, "other words"), "those are news"
    time.sleep(0.06)
    assert said(quiet, "lost %s", 4)


def test_what_each_first_start_says_is_said_only_once_it_lasts() -> None:
    quiet, words = Sparingly(quiet_s=0.05), "Group Coordinator Request failed: %s"
    assert not said(quiet, words, "not available")
    time.sleep(0.06)
    assert said(quiet, words, "not available")
    assert not said(quiet, words, "not available")
