"""`dialgate import`: makes a log of an export, where there is none yet."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from campaigns.audit.transfer.encryption import Encryption
from campaigns.audit.transfer.export_log import ExportLog
from campaigns.audit.transfer.import_file import import_embedded, refuse_used
from campaigns.audit.transfer.import_plan import Plan
from campaigns.audit.transfer.key_needs import EncryptedLists
from campaigns.log.installation_log import whole
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import LogCutError, PartRunningError, TopicMisfitError
from campaigns.secrets.master_key import MasterKeyError
from dialgate.logs import (
    EMBEDDED_PARTITIONS,
    KAFKA_PARTITIONS,
    LOG_FILE,
    lock_part,
    make_kafka_log,
    make_log,
    master_keys,
)
from dialgate.part_names import PARTS
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.secrets.key_backup import NO_KEYS
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import AsJson, MisusedError, checked_settings, run_verb

_TWICE = (
    "stop the system that was exported, or run `dialgate retire` there: both would call the same"
    " contacts. Then let this log dial: `dialgate adopt` (a log below level 4 dials without)"
)
_BRING = (
    "dialgate: the keys to the contacts of {lists} are not here, and an export carries none: write"
    " them where the log was, `dialgate secrets export keys.jsonl`, and keep its master key"
)
_RESTORE = (
    "dialgate: nobody reads the contacts of {lists} until their keys are here: with the master key"
    " that they had, `dialgate secrets import keys.jsonl`"
)
_ANEW = (
    "dialgate: the plain contacts of {lists} are encrypted here: digests, seals and positions of"
    " the exported log do not hold for this one; {file} still has them in clear"
)


def command(
    file: Annotated[Path, typer.Argument(help="What `dialgate export` has written.")],
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="Encrypt plain contacts, so that they can be erased."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a log of an export, in the data directory or on Kafka, as the settings say.

    There must be no log yet. DIALGATE_PARTITIONS may be another number than before. Everything is
    checked against the digests in the file. Interrupted, it leaves no log that could start. An
    export has no keys of contacts: `dialgate secrets export` and `secrets import` carry them.
    """
    settings = checked_settings()
    run_verb(import_log(settings, file, encrypt=encrypt, as_json=as_json))


async def import_log(
    settings: ProcessSettings, path: Path, *, encrypt: bool = False, as_json: bool = False
) -> int:
    """Import an export. Returns 0.

    Raises:
        MisusedError: there is a log already, or a part runs.
        ExportUnreadableError: it is none that can be imported; nothing was written.
        LogUnavailableError: the log cannot be written.

    """
    export = ExportLog(path)
    embedded = not settings.kafka_servers
    usual = EMBEDDED_PARTITIONS if embedded else KAFKA_PARTITIONS
    target = settings.data_dir / LOG_FILE
    try:
        if embedded:
            for part in PARTS:
                lock_part(settings, part)
            refuse_used(target)
        await export.open()
        encryption = _encryption(settings) if encrypt else None
        plan = Plan(export, await whole(export), settings.partitions or usual, encryption)
        records = sum(export.manifest.ends.values())
        await plan.check()
        if missing := await _unreadable(settings, plan.encrypted):
            complain(_BRING.format(lists=_lists(missing)))
        with progress("importing", records) as seen:
            if embedded:
                written = await import_embedded(plan, target, seen)
            else:
                from campaigns.audit.transfer.import_kafka import import_kafka

                to_read = partial(make_kafka_log, settings, read_only=True, importing=True)
                written = await import_kafka(plan, to_read, settings.kafka_replication, seen)
        missing = await _unreadable(settings, plan.encrypted)
    except (LogCutError, MasterKeyError, PartRunningError, TopicMisfitError) as exc:
        raise MisusedError(str(exc)) from exc
    finally:
        await export.close()
    if as_json:
        shape = {
            "records": written,
            "left_out": plan.left_out,
            "partitions": plan.partitions,
            "lists_without_key": missing,
            "lists_encrypted": encryption.lists if encryption else 0,
        }
        say(orjson.dumps(shape).decode())
    else:
        compared = "records compared" if encryption else "digests compared"
        say(f"{written} records of {export.id}, {plan.partitions} partitions, {compared}")
        if plan.left_out:
            why = "encrypted" if encryption else "other partitions"
            say(f"{plan.left_out} records that counted for nobody were left out ({why})")
        if encryption and not encryption.lists:
            say("no list of contacts was plain: nothing was encrypted, and no key was made")
    if encryption and encryption.lists:
        complain(_ANEW.format(lists=_lists(encryption.lists), file=path))
    if missing:
        complain(_RESTORE.format(lists=_lists(missing)))
    complain(_TWICE)
    return 0


async def _unreadable(settings: ProcessSettings, lists: EncryptedLists) -> int:
    """Return how many lists the keys that are there do not open."""
    async with _keys(settings) as keys:
        return lists.unreadable(keys)


def _encryption(settings: ProcessSettings) -> Encryption:
    """Return what encrypts plain lists with keys of the target's own. Raises: MisusedError."""
    if settings.kafka_servers and not master_keys(settings).given:
        raise MisusedError(f"--encrypt: {NO_KEYS}")

    async def made(key_ids: Collection[str]) -> Mapping[str, KeyTree]:
        async with _keys(settings, make=True) as keys:
            assert keys is not None, "there is a master key"
            return await keys.named(key_ids)

    async def marked() -> None:
        async with _keys(settings, make=True) as keys:
            assert keys is not None, "there is a master key"
            await keys.all_named()

    return Encryption(made, marked)


@asynccontextmanager
async def _keys(settings: ProcessSettings, *, make: bool = False) -> AsyncIterator[ListKeys | None]:
    """Yield the keys where the log will be: they may have been brought before it."""
    if not settings.kafka_servers:
        embedded = make_log(settings, exclusive=False, read_only=not make)
        try:
            yield embedded.list_keys
        finally:
            await embedded.close()
        return
    from campaigns.audit.transfer.import_kafka import look_for_keys

    log = make_kafka_log(settings, read_only=True)
    try:
        await look_for_keys(log, settings.kafka_replication, make=make)
        yield log.list_keys
    finally:
        await log.close()


def _lists(many: int) -> str:
    return "1 list" if many == 1 else f"{many:,} lists"
