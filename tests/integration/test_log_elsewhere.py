"""`dialgate log` says the same of the same records wherever they are: embedded, export, Kafka."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from campaigns.audit.record_filter import RecordFilter
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST
from dialgate.settings import ProcessSettings
from dialgate.verbs.history.log import LogView, log
from dialgate.verbs.history.log_filters import contact_of, instant_of, types_of
from tests.integration.test_log_verb import FILTERS, folder, records, said
from tests.support.on_kafka import opened

__all__ = ["folder"]  # A fixture.


async def test_every_filter_shows_of_an_export_what_it_shows_of_the_log(folder: Path) -> None:
    exported = str(folder / "export.jsonl")
    await said(folder, "export", exported)
    shown = 0
    for words, _ in FILTERS:
        for way in ((), ("--json", "--reveal")):
            there = await said(folder, "log", *words, *way)
            assert await said(folder, "log", *words, *way, "--from", exported) == there
            shown += len(there)
    assert shown > 2 * len(FILTERS), "most filters show something"


def chosen(words: Sequence[str]) -> RecordFilter:
    """Return the filter that the words of a command line are for."""
    given = defaultdict[str, list[str]](list)
    for option, value in zip(words[::2], words[1::2], strict=True):
        given[option].append(value)
    one = {option: values[0] for option, values in given.items()}.get
    return RecordFilter(
        campaign_id=int(one("--campaign", "0")) or None,
        types=types_of(given["--type"]),
        actor=one("--actor"),
        since=instant_of("--since", one("--since")),
        until=instant_of("--until", one("--until")),
        contact=contact_of(one("--contact"), None),
        correlation=one("--correlation"),
    )


@pytest.mark.kafka
async def test_every_filter_shows_of_a_log_on_kafka_what_it_shows_of_the_embedded_one(
    kafka_servers: str, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded, made = SqliteLog(tmp_path / "log.db"), list(records())
    await embedded.open()
    async with opened(kafka_servers, namespace, 1) as on_kafka:
        for record in made:
            for one in (embedded, on_kafka):
                await one.append(FIRST, record, 1)
    await embedded.close()
    kafka = ProcessSettings(
        data_dir=tmp_path / "none", kafka_servers=kafka_servers, kafka_namespace=namespace,
        partitions=1,
    )  # fmt: skip
    for words, shown in FILTERS:
        printed = []
        for settings in (ProcessSettings(data_dir=tmp_path), kafka):
            capsys.readouterr()
            assert await log(settings, LogView(chosen(words), as_json=True)) == 0
            printed.append(capsys.readouterr().out.splitlines())
        assert printed[0] == printed[1], words
        at = [orjson.loads(line)["at"] for line in printed[1]]
        assert at == [f"campaign.records/0@{position}" for position in shown], words
