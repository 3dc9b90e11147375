"""`dialgate export`: the log in one file, with its digests. Writes and locks nothing of the log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from campaigns.audit.rulings import partitions_of
from campaigns.audit.transfer.export_writer import Exporter
from campaigns.process.clock import SystemClock
from dialgate.settings import ProcessSettings
from dialgate.verbs.evidence.parquet import export_parquet
from dialgate.verbs.new_file import new_file
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    OfCampaign,
    checked_settings,
    misused,
    no_campaign,
    run_verb,
    source,
)

_STDOUT = Path("-")


def command(
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; `-` is standard output.")
    ] = None,
    campaign: OfCampaign = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write tables for analysis into this new directory instead.")
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
) -> None:
    """Export the log into one file, which every verb can read with --from.

    The whole log can be imported into another one. With --campaign, only what was accepted of that
    campaign is exported: to read, not to import. It holds personal data.
    """
    settings = checked_settings()
    if parquet is not None and file is None:
        tables = export_parquet(settings, parquet, campaign, as_json=as_json, exported=exported)
        run_verb(tables)
    if file is None or parquet is not None:
        raise misused("expected a FILE, or --parquet DIR, and not both")
    run_verb(export(settings, file, campaign, as_json=as_json, exported=exported))


async def export(
    settings: ProcessSettings,
    path: Path,
    campaign: int | None,
    *,
    as_json: bool = False,
    exported: Path | None = None,
) -> int:
    """Write the log as it is now into a new file. Returns 0.

    Raises:
        ContractError: a record stops every reader; no file is left.
        MisusedError: there is such a file, or no such campaign.
        LogUnavailableError: the log cannot be reached.
        OSError: the file cannot be written; none is left.

    """
    now = SystemClock().now()
    async with source(settings, exported) as (log, installation):
        ends = await log.ends(partitions_of(log))
        with _written(path) as file, progress("exporting", sum(ends.values())) as seen:
            exporter = Exporter(log, installation, file.write, seen, campaign)
            found = await exporter.export(now)
            if campaign is not None and not exporter.campaigns:
                raise no_campaign(campaign)
    if path == _STDOUT:
        return 0
    records = sum(one.records for one in found.values())
    if as_json:
        digests = {f"{where}@{exporter.ends[where]}": one.digest for where, one in found.items()}
        say(orjson.dumps({"file": str(path), "records": records, "digests": digests}).decode())
        return 0
    say(f"{path}: {records} records")
    for where, one in found.items():
        say(f"{where}@{exporter.ends[where]}  {one.accepted} accepted  {one.digest}")
    if campaign is not None:
        complain("an export of one campaign can be read by every verb (--from), and not imported")
    return 0


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    if path == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with new_file(path) as file:
        yield file
