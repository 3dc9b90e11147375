"""Kills a verb, as `kill -9` does, just before each of its steps that touch a file. No assertion.

    python -m tests.support.kill_points FOLDER CHOSEN dialgate's arguments …

runs the verb in a process of its own for each point, in a copy of FOLDER beside it (`FOLDER.1`, …);
`{}` in an argument is that copy. The points are counted by Python's audit events, and further ones
lie between two records. CHOSEN: at most so many points, spread over all; 0: each.

Then the verb runs once more in the copy, to its end, unless ONCE is set. Prints a JSON line for
each point: `left`, what the killed one has left (a copy of the copy), `again`, the exit code of the
second, and what it `said`. On Kafka each has a namespace, the name of its folder.

The process is forked: to import the program anew for each point would take a second.
"""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_FILES = ("open", "os.", "shutil.", "sqlite3.connect")  # Begins of the events that are counted.
_STEP = 8  # Records between two points.
_PASSING = ("os.listdir", "os.scandir", "os.fwalk", "os.walk", "os.putenv")


def main(folder: Path, chosen: int, arguments: list[str]) -> None:
    """Run the verb until each point; print what became of it."""
    import campaigns.audit.transfer.import_kafka  # noqa: F401
    import dialgate.__main__  # Forked with everything that it has loaded.
    import dialgate.verbs.evidence.import_log  # noqa: F401

    points = _count(folder, arguments)
    step = max(1, points // chosen) if chosen else 1
    for point in itertools.islice(range(1, points + 1), step // 2, None, step):
        copy = folder.with_name(f"{folder.name}.{point}")
        shutil.copytree(folder, copy)
        if _ended(copy, arguments, point) != -signal.SIGKILL:
            continue  # A thread was slower this time.
        left = shutil.copytree(copy, f"{copy}.left")
        again = None if os.environ.get("ONCE") else _ended(copy, arguments, 0)
        said = (copy / "said").read_text()
        print(json.dumps({"left": left, "copy": str(copy), "again": again, "said": said}))


def _count(folder: Path, arguments: list[str]) -> int:
    """Return how many points there are: until the verb comes to its end."""
    copy, (reader, writer) = folder.with_name(f"{folder.name}.count"), os.pipe()
    shutil.copytree(folder, copy)
    if status := _ended(copy, arguments, None, writer):
        sys.exit(f"exit code {status}: {(copy / 'said').read_text()}")
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        points = len(told.read())
    shutil.rmtree(copy)
    return points


def _ended(copy: Path, arguments: list[str], point: int | None, told: int = -1) -> int:
    """Run the verb until the point (0: to its end); return its exit code, or minus the signal."""
    child = os.fork()
    if not child:
        _run([one.replace("{}", str(copy)) for one in arguments], copy, point, told)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(arguments: list[str], copy: Path, point: int | None, told: int) -> None:
    from aiokafka import AIOKafkaProducer

    from campaigns.audit.rulings import PartitionRuling
    from dialgate.__main__ import cli

    seen = itertools.count(1)

    def reached() -> None:
        if point is None:
            os.write(told, b".")
        elif next(seen) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_FILES) and event not in _PASSING and _ours(event, arguments, copy):
            reached()

    for kind, name in ((PartitionRuling, "rule"), (AIOKafkaProducer, "send")):
        setattr(kind, name, _noted(getattr(kind, name), reached))
    out = os.open(copy / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ |= {"DIALGATE_DATA_DIR": str(copy), "DIALGATE_KAFKA_NAMESPACE": f"{copy.name}."}
    sys.addaudithook(hook)
    status = 1
    try:
        cli(arguments)
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    finally:
        os._exit(status)


def _noted(plain: Callable[..., object], reached: Callable[[], None]) -> Callable[..., object]:
    calls = itertools.count()

    def noted(*arguments: object, **more: object) -> object:
        if next(calls) % _STEP == 0:
            reached()
        return plain(*arguments, **more)

    return noted


def _ours(event: str, arguments: tuple[object, ...], copy: Path) -> bool:
    """Say whether an event is of a file in the copy, not of Python's own."""
    paths = [os.fsdecode(one) for one in arguments if isinstance(one, str | bytes | os.PathLike)]
    return any(one.startswith((str(copy), f"file:{copy}")) for one in paths)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
