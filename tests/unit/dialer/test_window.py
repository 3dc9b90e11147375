"""The window of permissions that wait for their ruling, by example."""

from dialer.decisions.window import Window


def test_a_window_halves_when_permissions_come_back_too_late_and_grows_again() -> None:
    window = Window(64, 64.0)
    for _ in range(3):
        window.too_late()
    assert window.size == 8
    for _ in range(8):
        window.in_time()
    assert 8.9 < window.size <= 9
    for _ in range(10_000):
        window.in_time()
    assert window.size == 64


def test_a_window_lets_one_through_however_late() -> None:
    window = Window(4, 4.0)
    for _ in range(10):
        window.too_late()
    assert window.size == 1
