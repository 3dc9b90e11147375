"""`dialgate replay`: prints the log as a reader sees it. Writes and locks nothing."""

import asyncio
from types import MappingProxyType
from typing import Any

import orjson

from campaigns.log.installation_log import whole
from campaigns.log.port import EventLog
from campaigns.records.installation import Installation, Skipped, confirm
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Foreign, conflict
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
    campaign_partitions,
)
from dialgate.logs import make_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.terminal import say

_SHOWN = ("type", "stream", "data", "aside")  # The parts of a fact that are printed.
CHUNK = 1_000  # Records a read.


async def replay(settings: ProcessSettings, campaign: int | None, *, as_json: bool) -> int:
    """Print every record that is in the log now, partition by partition. Returns 0.

    Raises:
        ContractError: this build does not know an accepted fact; those before it are printed.
        LogUnavailableError: the log cannot be reached.

    """
    log = make_log(settings, exclusive=False, read_only=True)
    await log.open()
    try:
        installation = await whole(log)
        count = log.partitions(CAMPAIGN_RECORDS)
        partitions = (INSTALLATION, ORGANIZATIONS, *campaign_partitions(count))
        if campaign is not None:
            partitions = (campaign_partition(campaign, count),)
        for partition in partitions:
            await _replay(log, partition, campaign, installation, as_json=as_json)
    finally:
        await log.close()
    return 0


async def _replay(
    log: EventLog,
    partition: Partition,
    campaign: int | None,
    installation: Installation,
    *,
    as_json: bool,
) -> None:
    ledger, position, skipped = Ledger(), 0, installation.skipped.get(partition, {})
    end = (await log.ends([partition]))[partition]
    while position < end:
        batch = await log.read(partition, position, min(CHUNK, end - position))
        for recorded in batch:
            line = ruled(ledger, recorded, skipped)
            if campaign is None or _of(line, campaign):
                say(orjson.dumps(line).decode() if as_json else _text(line))
        position = batch[-1].position if batch else end
        await asyncio.sleep(0)


def ruled(
    ledger: Ledger, recorded: Recorded, skipped: Skipped = MappingProxyType({})
) -> dict[str, Any]:
    """Rule on the next record; return it with its ruling, as JSON.

    Raises:
        ContractError: it is accepted, and this build does not know one of its facts.

    """
    if (decision := skipped.get(recorded.position)) is not None:
        confirm(decision, recorded)
        return {"at": recorded.where, "ruling": "skipped", "why": decision.reason}
    envelope = recorded.envelope
    line: dict[str, Any] = {"at": recorded.where, "ruling": "foreign"}
    if isinstance(envelope, Foreign):
        return line | {"why": envelope.why}
    found = {stream: ledger.version(stream) for stream in envelope.condition}
    accepted = ledger.admit(envelope)
    line |= {"ruling": "accepted" if accepted else "refused", "id": envelope.id}
    line |= {"time": envelope.time, "source": envelope.source, "actor": envelope.actor}
    if accepted:
        assert recorded.facts, "decoding raises for an accepted fact that is not known"
    else:
        line["why"] = conflict(envelope.condition, found)
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
