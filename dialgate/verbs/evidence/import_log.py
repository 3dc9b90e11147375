"""`dialgate import`: makes a log of an export, where there is none yet."""

from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from campaigns.audit.transfer.export_log import ExportLog
from campaigns.audit.transfer.import_file import import_embedded, refuse_used
from campaigns.audit.transfer.import_plan import Plan
from campaigns.log.installation_log import whole
from campaigns.process.errors import LogCutError, PartRunningError, TopicMisfitError
from dialgate.logs import (
    EMBEDDED_PARTITIONS,
    KAFKA_PARTITIONS,
    LOG_FILE,
    lock_part,
    make_kafka_log,
)
from dialgate.part_names import PARTS
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import AsJson, MisusedError, checked_settings, run_verb

_TWICE = (
    "stop the system that was exported, or run `dialgate retire` there: both would call the same"
    " contacts. Then let this log dial: `dialgate adopt` (a log below level 4 dials without)"
)


def command(
    file: Annotated[Path, typer.Argument(help="What `dialgate export` has written.")],
    as_json: AsJson = False,
) -> None:
    """Make a log of an export, in the data directory or on Kafka, as the settings say.

    There must be no log yet. DIALGATE_PARTITIONS may be another number than before. Everything is
    checked against the digests in the file. Interrupted, it leaves no log that could start.
    """
    settings = checked_settings()
    run_verb(import_log(settings, file, as_json=as_json))


async def import_log(settings: ProcessSettings, path: Path, *, as_json: bool = False) -> int:
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
        plan = Plan(export, await whole(export), settings.partitions or usual)
        records = sum(export.manifest.ends.values())
        with progress("importing", records) as seen:
            if embedded:
                written = await import_embedded(plan, target, seen)
            else:
                from campaigns.audit.transfer.import_kafka import import_kafka

                make_log = partial(make_kafka_log, settings, read_only=True, importing=True)
                written = await import_kafka(plan, make_log, settings.kafka_replication, seen)
    except (LogCutError, PartRunningError, TopicMisfitError) as exc:
        raise MisusedError(str(exc)) from exc
    finally:
        await export.close()
    left_out = records - written
    if as_json:
        shape = {"records": written, "left_out": left_out, "partitions": plan.partitions}
        say(orjson.dumps(shape).decode())
    else:
        say(f"{written} records of {export.id}, {plan.partitions} partitions, digests compared")
        if left_out:
            say(f"{left_out} records that counted for nobody were left out (other partitions)")
    complain(_TWICE)
    return 0
