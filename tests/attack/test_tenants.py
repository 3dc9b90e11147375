"""What one tenant floods, another still has; and nothing of a key stays where others read."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.attack.instance import NEIGHBOUR, Instance, wait_for
from tests.support.system import KEY

CAMPAIGNS = "/api/v1/campaigns"
ENDLESS = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"


@contextmanager
def monitor(instance: Instance, key: str) -> Iterator[ClientConnection]:
    """Open a socket, and read its first frames."""
    url = f"ws://127.0.0.1:{instance.port}/ws/campaigns/monitor?token={key}"
    with connect(url, proxy=None) as socket:
        socket.recv(timeout=20)
        yield socket


def ponged(socket: ClientConnection) -> None:
    """Ping a socket, and return once it has answered."""
    socket.send('{"type": "ping"}')
    while "pong" not in str(socket.recv(timeout=20)):
        continue


def closed(socket: ClientConnection) -> int:
    """Wait until the other side closes; return the code."""
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as exc:
        return exc.rcvd.code if exc.rcvd else 0


def refused(instance: Instance, key: str) -> int:
    """Open a socket that is not let in; return the code."""
    try:
        with monitor(instance, key):
            raise AssertionError("it was let in")
    except ConnectionClosed as exc:
        return exc.rcvd.code if exc.rcvd else 0


def test_the_sockets_of_one_tenant_leave_another_its_share(tmp_path: Path) -> None:
    knobs = {"sockets_max": 8, "sockets_per_organization_max": 8, "sockets_per_key_max": 8}
    with Instance(tmp_path, descriptors=256, **knobs) as instance, ExitStack() as stack:
        flood = [stack.enter_context(monitor(instance, KEY)) for _ in range(8)]
        assert refused(instance, KEY) == 1013
        others = [stack.enter_context(monitor(instance, NEIGHBOUR)) for _ in range(4)]
        assert [closed(socket) for socket in flood[:3:-1]] == [1013] * 4, "the newest give way"
        assert refused(instance, NEIGHBOUR) == 1013, "both have as many now"
        for socket in (*flood[:4], *others):
            ponged(socket)


def test_the_previews_of_one_tenant_leave_another_its_turn(instance: Instance) -> None:
    url, over, answered = f"{CAMPAIGNS}/template-preview", threading.Event(), list[int]()

    def loop() -> None:
        while not over.is_set():
            answered.append(instance.ask("POST", url, {"template": ENDLESS})[0])

    flood = [threading.Thread(target=loop) for _ in range(8)]
    for thread in flood:
        thread.start()
    try:
        wait_for(lambda: 200 in answered, "the flood is rendered")
        for _ in range(2):
            before = len(answered)
            status, found = instance.ask("POST", url, {"template": "hi"}, key=NEIGHBOUR)
            assert (status, found["rendered_template"]) == (200, "hi")
            assert answered[before:].count(200) <= 3, "the one under way, and what came meanwhile"
    finally:
        over.set()
        for thread in flood:
            thread.join()


def test_a_revoked_keys_sockets_close_at_once_and_others_stay(instance: Instance) -> None:
    made = [instance.ask("POST", "/api/v1/keys", {"scope": "read"})[1] for _ in range(2)]
    with monitor(instance, made[0]["key"]) as socket, monitor(instance, made[1]["key"]) as other:
        assert instance.ask("DELETE", f"/api/v1/keys/{made[0]['id']}")[0] == 200
        assert closed(socket) == 1008
        ponged(other)


def test_nothing_of_a_key_is_in_the_log_or_in_an_answer(tmp_path: Path) -> None:
    with Instance(tmp_path) as instance:
        contacts = [{"phone_number": "+15550001000"}]
        one = instance.create(contacts=contacts)
        for move in ("start", "pause"):
            assert instance.ask("POST", f"{CAMPAIGNS}/{one}/{move}")[0] == 200
        _, paused = instance.ask("GET", f"{CAMPAIGNS}/{one}/pause")
        status, lost = instance.ask("POST", f"{CAMPAIGNS}/{one}/resume", If_Match='"1"')
        assert status == 412
        assert paused["actor"] == lost["changed_by"]["actor"]
        assert paused["actor"].startswith("organization/1 key ")
        texts = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        assert paused["actor"].encode() in texts
        for key in (KEY, NEIGHBOUR):
            assert key[:9] not in f"{paused}{lost}"
            assert key[:9].encode() not in texts
