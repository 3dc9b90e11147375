"""What is logged is logged sparingly: an outage is one story."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from campaigns.process.observability import (
    LINES_MAX,
    QUIET_S,
    WINDOW_S,
    WORDS_MAX,
    Bounded,
    Sparingly,
    configure_logging,
    correlation_id,
)

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


def test_what_is_remembered_of_other_peoples_words_is_bounded() -> None:
    listening = Listening()
    assert all(listening.hears(f"socket {n}\nfd={n}") for n in range(3 * WORDS_MAX))
    assert len(listening._filter._logged_at) <= WORDS_MAX
    assert listening.hears("accept\nfd=1")
    assert not listening.hears("accept\nfd=2"), "the first line tells the story"


def test_a_logger_has_so_many_lines_a_minute_and_says_what_is_left_out() -> None:
    now = 0.0
    bounded = Bounded(lambda: now)

    def logged(name: str) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, "line %s", (1,), None)
        return record.getMessage() if bounded.filter(record) else None

    found = [logged("noisy") for _ in range(LINES_MAX + 50)]
    assert found == ["line 1"] * LINES_MAX + [None] * 50
    assert logged("another") == "line 1", "each has its own"
    now = WINDOW_S
    assert logged("noisy") == "line 1 (50 earlier lines were left out)"
    assert logged("noisy") == "line 1"


@pytest.fixture
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored")
def test_all_logs_are_json_on_stderr_with_their_correlation_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the imports say went to standard output, as text: there is the key, and no more."""
    configure_logging()
    correlation_id.set("request-7")
    logging.getLogger("ours").warning(
        "import of %s failed", "a.csv", extra={"campaign_id": 2, "other": 3}
    )
    structlog.get_logger("theirs").warning("import failed", campaign_id=1)
    out, err = capsys.readouterr()
    plain, bound = (json.loads(line) for line in err.splitlines())
    assert not out
    assert (plain["event"], plain["logger"]) == ("import of a.csv failed", "ours")
    assert plain["campaign_id"] == 2, "a field that was given as `extra`"
    assert "other" not in plain, "libraries give what they like"
    assert (bound["event"], bound["logger"]) == ("import failed", "theirs")
    assert bound["campaign_id"] == 1
    assert {plain["correlation_id"], bound["correlation_id"]} == {"request-7"}
    assert {plain["level"], bound["level"]} == {"warning"}
