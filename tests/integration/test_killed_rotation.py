"""A rotation of the master key on Kafka that is killed goes on, and loses and revives nobody."""

import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.installation_log import founded
from campaigns.personal.list_keys import KeyUnavailableError, ListKey
from campaigns.process.clock import SystemClock
from campaigns.secrets.key_place import KeyPlace
from tests.support.system import ROOT, System

pytestmark = [pytest.mark.e2e, pytest.mark.kafka]

OLD, NEW = bytes([1] * 32), bytes([2] * 32)
# Ends the verb at its n-th write of a key: before the broker has it, or once it has it.
KILLED = """
import os, signal, sys
from campaigns.kafka.keys.key_writer import KeyWriter
moment, last, writes, real = sys.argv.pop(1), int(sys.argv.pop(1)), 0, KeyWriter.write
async def write(self, messages):
    global writes
    writes += 1
    if writes == last and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    offsets = await real(self, messages)
    if writes == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return offsets
KeyWriter.write = write
from dialgate.__main__ import main
main()
"""


def log_of(servers: str, namespace: str, key: bytes) -> KafkaLog:
    return KafkaLog(servers, 3, namespace=namespace, master_keys=KeyPlace(key))


async def made(log: KafkaLog) -> Sequence[ListKey]:
    """Make three lists' keys; forget a row of the second, and all of the third."""
    await log.open()
    try:
        await founded(log, SystemClock(), "test/1")
        keys = log.list_keys
        assert keys is not None
        lists = [await keys.take() for _ in range(3)]
        await keys.forget(lists[1].key_id, [2])
        await keys.forget(lists[2].key_id)
        return lists
    finally:
        await log.close()


async def test_killed_twice_it_ends_the_third_time(
    kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    whole, holed, gone = await made(log_of(kafka_servers, namespace, OLD))
    given = ",".join(b64encode(key).decode() for key in (NEW, OLD))
    system = System(
        tmp_path, kafka=kafka_servers, namespace=namespace, partitions=3, master_key=given
    )
    for moment in ("before", "after"):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, moment, "20", "secrets", "rotate"],
            cwd=ROOT, env=system.environment, check=False, capture_output=True, timeout=120,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    ended = system.run("secrets", "rotate")
    assert ended.returncode == 0, ended
    assert "keys of lists: 24 sealed anew, 39 were already" in ended.stdout, "19, 20, and the rest"
    assert "older ones are needed no more" in ended.stdout
    log = log_of(kafka_servers, namespace, NEW)
    await log.open()
    try:
        keys = log.list_keys
        assert keys is not None
        await keys.store.refresh()
        assert keys.tree(whole.key_id) == whole.tree
        assert [keys.tree(holed.key_id).key(row) is None for row in (1, 2, 3)] == [
            False, True, False
        ]  # fmt: skip
        with pytest.raises(KeyUnavailableError):
            keys.tree(gone.key_id)
        assert not keys.troubles(), "nothing needs the old key"
        assert len(keys.store.key_ids()) == 63
    finally:
        await log.close()
