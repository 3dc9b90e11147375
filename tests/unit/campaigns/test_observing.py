"""What is logged is logged sparingly: an outage is one story."""

import logging

from campaigns.observing import QUIET_S, Sparingly

PASSING = "no coordinator: %s"


class Listening:
    """A filter on a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self._filter = Sparingly(lambda: self.now, passing=[PASSING])

    def hears(self, words: str, *more: object) -> bool:
        """Say something; return whether it is let through."""
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, words, more, None)
        return self._filter.filter(record)


def test_the_same_words_are_said_once_in_a_while() -> None:
    listening = Listening()
    assert [listening.hears("lost %s", n) for n in range(3)] == [True, False, False]
    assert listening.hears("other words"), "those are news"
    listening.now = QUIET_S
    assert listening.hears("lost %s", 4)


def test_what_each_first_start_says_is_said_only_once_it_lasts() -> None:
    listening = Listening()
    assert not listening.hears(PASSING, "not available")
    listening.now = QUIET_S
    assert listening.hears(PASSING, "not available")
    assert not listening.hears(PASSING, "not available")
