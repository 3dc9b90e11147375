"""The window of a webhook: its cursor moves over events in order, whenever each ends."""

from projector.deliveries.delivery_window import DeliveryWindow


def test_the_cursor_waits_for_the_oldest_and_passes_what_is_not_wanted_with_it() -> None:
    window = DeliveryWindow("0")
    window.passed("1")
    assert (window.cursor, len(window)) == ("1", 0), "nothing is under way"
    first = window.take("2")
    for passed in ("3", "4"):
        window.passed(passed)
    second = window.take("5")
    window.passed("6")
    assert (window.cursor, len(window)) == ("1", 2), "what nobody wants takes no room"
    assert not window.finish(second)
    window.passed("7")
    assert (window.cursor, len(window)) == ("1", 2)
    assert window.first(first)
    assert window.finish(first)
    assert (window.cursor, len(window)) == ("7", 0)
    window.passed("8")
    assert window.cursor == "8"
