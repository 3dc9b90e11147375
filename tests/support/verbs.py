"""A verb of the command line as its user runs it, but in this process."""

import asyncio
from pathlib import Path

from typer.testing import CliRunner, Result

from dialgate.__main__ import cli


async def ran(folder: Path, *words: object, status: int = 0) -> Result:
    """Run a verb on a data directory. It has a loop of its own, so it runs in a thread."""
    environment = {"DIALGATE_DATA_DIR": str(folder), "COLUMNS": "200"}
    asked = [str(word) for word in words]
    found = await asyncio.to_thread(CliRunner().invoke, cli, asked, env=environment)
    assert found.exit_code == status, (asked, found.output, found.exception)
    return found
