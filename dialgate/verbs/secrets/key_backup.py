"""A backup of the lists' keys: one file, made and restored while the system runs.

The keys are in it as they are in their store: wrapped by the master key, which is not in it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import orjson

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.kafka.keys.topic_keys import KeyTopicClosedError
from campaigns.log.installation_log import whole
from campaigns.log.port import ReadableLog
from campaigns.personal.forgotten_rows import ErasedRows, forget_again
from campaigns.personal.key_store import KeyStore, MemoryKeys
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.process.errors import ContractError, OperatingError
from campaigns.records.installation import Installation
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partitions
from campaigns.secrets.key_place import KeyPlace
from dialgate.exit_codes import WENT_WRONG
from dialgate.logs import make_log, master_keys
from dialgate.settings import ProcessSettings
from dialgate.verbs.new_file import new_file
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import MisusedError, source

FORMAT = "dialgate keys of contacts, 1"
AT_ONCE_MAX = 2_000  # Keys that are written before the next: some 300 KB.
EXPECTED = "expected a backup of `dialgate secrets export`, found {path}"
NO_KEYS = "expected a master key (DIALGATE_MASTER_KEY), found none: contacts have no keys"


class BackupHead(msgspec.Struct, frozen=True):
    """The first line."""

    format: str
    keys: int  # How many lines follow.


class BackupKey(msgspec.Struct, frozen=True):
    """One line: the key of a list."""

    key_id: Annotated[str, msgspec.Meta(min_length=1)]
    wrapped: Annotated[str, msgspec.Meta(min_length=1)]


async def export_keys(settings: ProcessSettings, path: Path) -> None:
    """Write all keys that there are now into a new file.

    Raises:
        MisusedError: there is such a file already, or the log has no keys.
        LogUnavailableError: there is no log, or it does not answer.

    """
    async with source(settings) as read:
        keys = _of(read.log)
        await keys.store.refresh()
        found = {one: keys.store.find(one) for one in sorted(keys.store.key_ids())}
        there = {one: wrapped for one, wrapped in found.items() if wrapped is not None}
        with new_file(path) as file:
            for line in (
                BackupHead(FORMAT, len(there)),
                *(BackupKey(key_id, wrapped) for key_id, wrapped in there.items()),
            ):
                file.write(msgspec.json.encode(line) + b"\n")
    say(f"{len(there)} keys in {path}; keep it no longer than who was forgotten may be readable")


async def import_keys(settings: ProcessSettings, path: Path, *, as_json: bool) -> int:
    """Restore the keys that are missing, but of nobody who was forgotten since. Idempotent.

    Keys that are there stay as they are. Returns 1 where keys were restored, or may be, and not all
    are, or whether somebody among them was forgotten meanwhile cannot be told.

    Raises:
        MisusedError: the file is no such backup, one of its keys cannot be opened, or the log has
            none: nothing was restored.
        LogUnavailableError: there is no log, or it does not answer; nothing was restored.

    """
    backup = await _staged(path, master_keys(settings))
    staged, in_backup = backup.store, len(backup.store.key_ids())
    async with source(settings) as read:
        erased = await erased_in(read.log, read.installation)
    again = set(await forget_again(backup, erased))
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        store = _of(log).store
        await store.refresh()
        left = {one: staged.find(one) for one in staged.key_ids()}
        missing = {
            one: wrapped
            for one, wrapped in left.items()
            if wrapped is not None and store.find(one) is None
        }
        restored, trouble = await _restored(store, missing)
        try:
            # Somebody may have been erased since the log was read, or be back by a file copied by
            # hand.
            now = await erased_in(log, await whole(log))
            again = {*again, *await forget_again(_of(log), now)}
        except (OperatingError, ContractError) as exc:
            if not missing:
                raise
            trouble = trouble or exc
    finally:
        await log.close()
    if again:
        complain(
            f"dialgate: the backup has contacts of {len(again)} lists that the log says are"
            " forgotten: they stay so"
        )
    if as_json:
        shape = {"restored": restored, "in_backup": in_backup, "forgotten_in": len(again)}
        say(orjson.dumps(shape).decode())
    else:
        unknown = len(missing) - restored
        others = f"{unknown} more may be" if unknown else "the others are there, or forgotten"
        say(f"{restored} of {in_backup} keys restored; {others}")
    if trouble is None:
        return 0
    complain(f"dialgate: not all is done, and the same command goes on: {trouble}")
    return WENT_WRONG


async def _restored(store: KeyStore, missing: Mapping[str, str]) -> tuple[int, Exception | None]:
    """Add keys; return how many surely are there, and why the others may be, or may not.

    Raises:
        KeyTopicClosedError: we lack the right; nothing was restored.

    """
    key_ids, done = list(missing), 0
    try:
        while some := key_ids[done : done + AT_ONCE_MAX]:
            await store.add({one: missing[one] for one in some})
            done += len(some)
    except OperatingError as exc:
        if isinstance(exc, KeyTopicClosedError) and not done:
            raise
        return done, exc
    return done, None


async def erased_in(log: ReadableLog, installation: Installation) -> ErasedRows:
    """Return which rows the log says are forgotten. Raises: see `ruled_batches`."""
    erased = ErasedRows()
    for partition in campaign_partitions(log.partitions(CAMPAIGN_RECORDS)):
        ruling = PartitionRuling(installation.skipped.get(partition, {}), keeps_digest=False)
        async for batch in ruled_batches(log, partition, ruling):
            for ruled in batch:
                for fact in ruled.recorded.facts if ruled.accepted else ():
                    erased.fold(fact)
    return erased


def _of(log: ReadableLog) -> ListKeys:
    if log.list_keys is None:
        raise MisusedError(NO_KEYS)
    return log.list_keys


async def _staged(path: Path, place: KeyPlace) -> ListKeys:
    """Return the keys of a backup, each of which can be opened.

    Raises:
        MisusedError: it is no backup, is not whole, or has a line that is not what it should be.

    """
    expected = EXPECTED.format(path=path)
    keys = ListKeys(MemoryKeys(), place)
    for number, line in enumerate(_lines(path), 2):
        try:
            one = msgspec.json.decode(line, type=BackupKey)
            if keys.store.find(one.key_id) is not None:
                raise MisusedError(f"the key {one.key_id} once more")
            await keys.store.add({one.key_id: one.wrapped})
            keys.tree(one.key_id)
        except (ValueError, msgspec.DecodeError, MisusedError, KeyUnavailableError) as exc:
            raise MisusedError(f"{expected}, line {number}: {exc}; nothing was restored") from exc
    return keys


def _lines(path: Path) -> list[bytes]:
    """Return the lines of a backup, without its head. Raises: MisusedError."""
    expected = EXPECTED.format(path=path)
    head, *lines = path.read_bytes().splitlines() or [b""]
    try:
        found = msgspec.json.decode(head, type=BackupHead)
    except (ValueError, msgspec.DecodeError) as exc:
        raise MisusedError(f"{expected}, line 1: {exc}") from exc
    if found != BackupHead(FORMAT, len(lines)):
        raise MisusedError(f"{expected}: it is of another format, or not whole")
    return lines
