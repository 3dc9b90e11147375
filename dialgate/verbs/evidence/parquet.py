"""`dialgate export --parquet`: tables of the log for analysis, without contacts' personal data."""

import shutil
from pathlib import Path

import orjson

from campaigns.audit.rulings import partitions_of
from campaigns.process.private_files import sync
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import MisusedError, source


async def export_parquet(
    settings: ProcessSettings,
    folder: Path,
    campaign: int | None,
    *,
    as_json: bool,
    exported: Path | None = None,
) -> int:
    """Write the tables into a new directory, which has its name once they are whole. Returns 0.

    Raises:
        ContractError: a record stops every reader; no directory is left.
        MisusedError: there is such a directory, or pyarrow is not installed.
        LogUnavailableError: the log cannot be reached.
        OSError: the tables cannot be written; none is left.

    """
    try:
        from campaigns.audit.transfer.parquet_tables import write_tables
    except ModuleNotFoundError as exc:
        raise MisusedError(
            f"--parquet: expected the extra `parquet` (pip install 'dialgate[parquet]'): {exc}"
        ) from exc
    partial = _begun(folder)
    try:
        async with source(settings, exported) as (log, installation):
            total = sum((await log.ends(partitions_of(log, campaign))).values())
            with progress("exporting", total) as seen:
                written = await write_tables(log, installation, partial, campaign, seen)
        _named(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if written.unread:
        complain(f"dialgate: regions of contacts are left out: {written.unread}")
    if as_json:
        say(orjson.dumps({"directory": str(folder), "rows": written.rows}).decode())
        return 0
    for name, count in written.rows.items():
        say(f"{folder / name}.parquet: {count} rows")
    return 0


def _begun(folder: Path) -> Path:
    if folder.exists():
        raise MisusedError(f"expected a directory that does not exist yet, found {folder}")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # What a killed process left.
    partial.mkdir(mode=0o700)
    return partial


def _named(partial: Path, folder: Path) -> None:
    for path in (*partial.iterdir(), partial):
        sync(path)
    partial.rename(folder)
    sync(folder.parent)
