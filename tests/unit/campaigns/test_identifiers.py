"""Ids that are made many at a time are as random, and as single, as one by one."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from campaigns.process.identifiers import AT_ONCE, random_id


def test_it_is_a_random_uuid() -> None:
    for _ in range(2 * AT_ONCE):
        found = random_id()
        read = uuid.UUID(found)
        assert (read.version, read.variant, read.hex) == (4, uuid.RFC_4122, found)


def test_no_two_threads_get_the_same() -> None:
    with ThreadPoolExecutor(8) as threads:
        lists = threads.map(lambda _: [random_id() for _ in range(5_000)], range(8))
        found = [one for some in lists for one in some]
    assert len(set(found)) == len(found) == 40_000


FORKED = f"""
import os
from campaigns.process.identifiers import random_id
random_id()  # The others of its batch are in stock.
if child := os.fork():
    os.waitpid(child, 0)  # One after the other, so that their lines do not mix.
print(*(random_id() for _ in range({AT_ONCE})), flush=True)
"""


def test_a_forked_process_gets_others() -> None:
    command = [sys.executable, "-c", FORKED]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(set(found)) == len(found) == 2 * AT_ONCE
