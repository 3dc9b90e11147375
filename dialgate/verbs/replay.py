"""`dialgate replay`: the older name of `dialgate log`, with the output that it had.

Programs rely on that output, so it changes in one thing alone: personal data is masked, unless
--reveal asks for it.
"""

from pathlib import Path
from typing import Any

import orjson

from campaigns.audit.record_filter import concerns
from campaigns.audit.rulings import PartitionRuling, partitions_of, ruled_batches
from dialgate.pictures.record_lines import masked_line, shape
from dialgate.settings import ProcessSettings
from dialgate.verbs.history.row_display import RowDisplay
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    OfCampaign,
    Reveal,
    Source,
    checked_settings,
    run_verb,
    source,
)


def command(
    campaign: OfCampaign = None,
    as_json: AsJson = False,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Print every record with its ruling, as earlier versions did: the older name of `log`.

    With --json it prints personal data only with --reveal, as `log` does.
    """
    settings = checked_settings()
    run_verb(replay(settings, campaign, as_json=as_json, exported=exported, reveal=reveal))


async def replay(
    settings: ProcessSettings,
    campaign: int | None,
    *,
    as_json: bool,
    exported: Path | None = None,
    reveal: bool = False,
) -> int:
    """Print every record that is in the log now, partition by partition. Returns 0.

    Raises:
        ContractError: this build does not know an accepted fact; those before it are printed.
        LogUnavailableError: the log cannot be reached.

    """
    async with source(settings, exported) as (log, installation):
        display = RowDisplay(Source(log, installation), reveal=reveal and as_json)
        for partition in partitions_of(log, campaign):
            ruling = PartitionRuling(installation.skipped.get(partition, {}))
            async for batch in ruled_batches(log, partition, ruling):
                chosen = [one for one in batch if campaign is None or concerns(one, campaign)]
                await display.look_ahead(batch, chosen)
                for ruled in chosen:
                    line = shape(ruled, rows=display.rows)
                    line = line if reveal else masked_line(line)
                    say(orjson.dumps(line).decode() if as_json else _text(line))
    return 0


def _text(line: dict[str, Any]) -> str:
    if "facts" not in line:
        return f"{line['at']}  {line['ruling']:<8}  {line['why']}"
    facts = ", ".join(f"{fact['type']} {fact['stream']}" for fact in line["facts"])
    why = f"  ({line['why']})" if "why" in line else ""
    return f"{line['at']}  {line['ruling']:<8}  {line['time']}  {line['source']}  {facts}{why}"
