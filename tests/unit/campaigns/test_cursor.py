"""Cursors of feeds: one text each, and no other text is one."""

import random

import pytest

from campaigns.events.cursor import START, Cursor, CursorError, Passed, cursor, passed
from campaigns.records.cloud_event import EventId


def test_a_cursor_is_read_back_as_it_was_written() -> None:
    draw = random.Random(1)
    for _ in range(500):
        places = {
            draw.randrange(12): Passed(draw.choice((1, 127, 128, 2**40)), draw.randrange(3))
            for _ in range(draw.randrange(5))
        }
        assert cursor(str(Cursor(places))) == Cursor(places)


def test_a_cursor_is_the_same_text_for_ever() -> None:
    assert str(START) == "ARAh"
    assert str(Cursor({0: Passed(812), 11: Passed(70_000, 2)})) == "AQCsBgAL8KIEAhX2"


def test_a_partition_at_its_beginning_is_not_written() -> None:
    assert str(Cursor({3: Passed()})) == str(START)


def test_a_campaigns_cursor_is_short() -> None:
    assert len(str(Cursor({11: Passed(10_000_000)}))) <= 16


def test_a_text_that_was_changed_is_no_cursor() -> None:
    text = str(Cursor({0: Passed(812), 1: Passed(9)}))
    changed = {text[:-1], text[1:], text + "A", text + "=", text.swapcase(), text[:4], ""}
    changed |= {text[:n] + "A" + text[n + 1 :] for n in range(len(text)) if text[n] != "A"}
    changed |= {"0@812/0", "now", "é", " " + text, text + "\n", "A" * 5_000, "-1"}
    for one in changed:
        with pytest.raises(CursorError, match="expected a cursor"):
            cursor(one)


def test_what_was_passed_follows_the_order_of_events() -> None:
    first, second = EventId(0, 7, 0), EventId(0, 7, 1)
    after = passed(first, last=False)
    assert after.has(EventId(0, 6, 3))
    assert after.has(first)
    assert not after.has(second)
    assert passed(second, last=True).has(second)
    assert not passed(second, last=True).has(EventId(0, 8, 0))
    assert after < passed(second, last=True)
