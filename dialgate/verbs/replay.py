"""`dialgate replay`: prints the log as a reader sees it. Writes and locks nothing."""

from pathlib import Path
from typing import Any

import orjson

from campaigns.audit.rulings import PartitionRuling, Ruled, partitions_of, ruled_batches
from campaigns.records.record import Envelope
from dialgate.settings import ProcessSettings
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import AsJson, FromFile, OfCampaign, checked_settings, run_verb, source

_SHOWN = ("type", "stream", "data", "aside")  # The parts of a fact that are printed.


def command(
    campaign: OfCampaign = None, as_json: AsJson = False, exported: FromFile = None
) -> None:
    """Print every record of the log with its ruling.

    Rulings: accepted, refused (with the conflict), foreign (with the reason), skipped.
    """
    settings = checked_settings()
    run_verb(replay(settings, campaign, as_json=as_json, exported=exported))


async def replay(
    settings: ProcessSettings,
    campaign: int | None,
    *,
    as_json: bool,
    exported: Path | None = None,
) -> int:
    """Print every record that is in the log now, partition by partition. Returns 0.

    Raises:
        ContractError: this build does not know an accepted fact; those before it are printed.
        LogUnavailableError: the log cannot be reached.

    """
    async with source(settings, exported) as (log, installation):
        for partition in partitions_of(log, campaign):
            ruling = PartitionRuling(installation.skipped.get(partition, {}))
            async for batch in ruled_batches(log, partition, ruling):
                for ruled in batch:
                    line = shape(ruled)
                    if campaign is None or _of(line, campaign):
                        say(orjson.dumps(line).decode() if as_json else _text(line))
    return 0


def shape(ruled: Ruled) -> dict[str, Any]:
    """Return a record with its ruling, as JSON."""
    recorded, ruling, why = ruled
    line: dict[str, Any] = {"at": recorded.where, "ruling": ruling}
    if why is not None:
        line["why"] = why
    if ruling.has_facts:
        envelope = recorded.envelope
        assert isinstance(envelope, Envelope), "foreign bytes are never accepted or refused"
        line |= {"id": envelope.id, "time": envelope.time}
        line |= {"source": envelope.source, "actor": envelope.actor}
        line["facts"] = [
            {name: offered[name] for name in _SHOWN if name in offered}  # type: ignore[literal-required]
            for offered in recorded.offered
        ]
    return line


def _of(line: dict[str, Any], campaign: int) -> bool:
    if "facts" not in line:
        return False
    of_campaign = tuple(f"{kind}/{campaign}/" for kind in ("campaign", "contacts", "contact"))
    return any(
        str(fact["data"].get("campaign_id")) == str(campaign)
        or f"{fact['stream']}/".startswith(of_campaign)
        for fact in line["facts"]
    )


def _text(line: dict[str, Any]) -> str:
    if "facts" not in line:
        return f"{line['at']}  {line['ruling']:<8}  {line['why']}"
    facts = ", ".join(f"{fact['type']} {fact['stream']}" for fact in line["facts"])
    why = f"  ({line['why']})" if "why" in line else ""
    return f"{line['at']}  {line['ruling']:<8}  {line['time']}  {line['source']}  {facts}{why}"
