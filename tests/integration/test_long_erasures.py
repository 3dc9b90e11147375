"""A campaign of more lists than one record may name is erased by several, each whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.domain.facts import CampaignErased
from campaigns.log.installation_log import whole
from campaigns.personal import erasure
from campaigns.personal.erasure import LISTS_MAX, ErasableList, campaign_erased
from campaigns.personal.forgotten_rows import forget_again
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.record import RECORD_BYTES_MAX
from campaigns.records.topics import campaign_partition
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import NOON, offered
from command_api import retention
from command_api.retention import Retention
from dialgate.verbs.personal import deletion
from dialgate.verbs.personal.deletion import Deletion, Offered
from dialgate.verbs.personal.erasable import ErasablePartition
from dialgate.verbs.personal.whom import Whom, folded, still_known
from tests.support.verbs import ran
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

LISTS, AT_ONCE = 5, 2
THROUGH = [2, 4, 5]  # Of each fact: one contact a list.


def person(n: int) -> dict[str, str]:
    return {"phone_number": f"+1415555{n:04}", "name": f"Person {n}"}


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Whole]:
    """Return both services on an embedded log, where a fact names two lists at most."""
    monkeypatch.setattr(erasure, "LISTS_MAX", AT_ONCE)
    monkeypatch.setattr(retention, "LISTS_MAX", AT_ONCE)
    log = SqliteLog(tmp_path / "log.db", poll_ms=1, exclusive=False)
    await log.open()
    async with whole_api(log) as both:
        yield both
    await log.close()


async def of_lists(api: Whole) -> int:
    """Create a campaign of LISTS lists; return its id."""
    campaign = await api.create(contacts=[person(1)])
    for n in range(2, LISTS + 1):
        await add(api, campaign, n)
    return campaign


async def add(api: Whole, campaign: int, n: int) -> None:
    answer = await api.client.post(
        f"{CAMPAIGNS}/{campaign}/contacts", json={"contacts": [person(n)]}
    )
    assert answer.json()["imported_count"] == 1, answer.text


async def erased(api: Whole, campaign: int) -> list[tuple[int, int]]:
    """Return the last contact of each fact, and how many lists it names."""
    partition = campaign_partition(campaign, api.log.partitions("campaign.records"))
    found = list[CampaignErased]()
    async for batch in ruled_batches(api.log, partition, PartitionRuling()):
        facts = [fact for ruled in batch if ruled.accepted for fact in ruled.recorded.facts]
        found += [fact for fact in facts if isinstance(fact, CampaignErased)]
    return [(one.through, len(one.key_ids)) for one in found if one.campaign_id == campaign]


async def shown(api: Whole, campaign: int, names: list[str | None]) -> None:
    """Wait until the API shows these names: views follow the log."""
    async with asyncio.timeout(20):
        while [one["name"] for one in (await api.get(f"{campaign}/contacts"))["items"]] != names:
            await asyncio.sleep(0.01)


async def verb(folder: Path, campaign: int, status: int) -> tuple[int, int]:
    """Run the verb; return how many it erased, and of how many."""
    words = ("erase", "--yes", "--json", "--campaign", campaign)
    found = await ran(folder, *words, status=status)
    assert ("the same command goes on" in found.stderr) == (status == 1)
    shape = json.loads(found.stdout)
    return shape["erased"], shape["found"]


async def test_the_verb_records_some_lists_a_fact_and_all_of_them(
    api: Whole, tmp_path: Path
) -> None:
    campaign, other = await of_lists(api), await of_lists(api)
    assert await verb(tmp_path, campaign, 0) == (LISTS, LISTS)
    assert await erased(api, campaign) == [(2, 2), (4, 2), (5, 1)]
    await shown(api, campaign, [None] * LISTS)
    await shown(api, other, [person(n)["name"] for n in range(1, LISTS + 1)])


async def test_ended_between_two_facts_it_says_how_far_it_came_and_goes_on(
    api: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, real, records = await of_lists(api), Deletion._record, 0

    async def dies(self: Deletion, one: ErasablePartition, offers: Sequence[Offered]) -> int:
        nonlocal records
        records += 1
        if records == 2:
            raise LogUnavailableError("the disk is full")
        return await real(self, one, offers)

    with monkeypatch.context() as patched:
        patched.setattr(Deletion, "_record", dies)
        assert await verb(tmp_path, campaign, 1) == (2, LISTS)
    assert await erased(api, campaign) == [(2, 2)]
    await shown(api, campaign, [None, None, "Person 3", "Person 4", "Person 5"])
    assert await verb(tmp_path, campaign, 0) == (LISTS - 2, LISTS - 2)
    assert await erased(api, campaign) == [(2, 2), (4, 2), (5, 1)]
    await shown(api, campaign, [None] * LISTS)


async def test_keys_are_deleted_after_all_facts_and_who_was_added_meanwhile_was_not_meant(
    api: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await of_lists(api)
    keys, whom = api.log.list_keys, Whom(campaign_id=campaign)
    assert keys is not None
    installation = await whole(api.log)
    partitions = await folded(api.log, installation, whom, keys)
    found = still_known(partitions, whom)
    await add(api, campaign, LISTS + 1)
    erases = Deletion(api.log, installation, keys, partitions)
    recorded = list[int | None]()

    async def noting(*given: Any) -> Sequence[str]:  # Any: as it is.
        recorded.append(erases.done.through)
        return await forget_again(*given)

    monkeypatch.setattr(deletion, "forget_again", noting)
    await erases.erase(found, whom)
    assert recorded == [LISTS], "from its fact on nobody is called, whatever keys cost"
    assert [through for through, _ in await erased(api, campaign)] == THROUGH
    await shown(api, campaign, [*[None] * LISTS, f"Person {LISTS + 1}"])


class Later:
    """A command API some days later."""

    def __init__(self, api: Whole) -> None:
        self._commands, self.clock = api.commands, self
        self.then = SystemClock().now() + timedelta(days=31)

    def now(self) -> object:
        """Return the instant then."""
        return self.then

    def __getattr__(self, name: str) -> object:
        return getattr(self._commands, name)


async def test_retention_records_some_lists_a_fact_and_goes_on_after_a_trouble(
    api: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await of_lists(api)
    for done in ("start", "stop"):
        await api.client.post(f"{CAMPAIGNS}/{campaign}/{done}")
    looks, writer = Retention(Later(api), 30), api.commands.writer  # type: ignore[arg-type]
    real, records = writer.append, 0

    async def fails(*given: object) -> object:
        nonlocal records
        records += 1
        if records == 2:
            raise LogUnavailableError("the disk is full")
        return await real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(writer, "append", fails)
    assert await looks.check() == 1
    assert await erased(api, campaign) == [(2, 2)], "the next one failed"
    assert await looks.check() == 2
    assert await erased(api, campaign) == [(2, 2), (4, 2), (5, 1)]
    assert await looks.check() == 0, "never twice"
    await shown(api, campaign, [None] * LISTS)


def test_a_fact_of_as_many_lists_as_it_may_name_fits_into_a_record() -> None:
    lists = [ErasableList(n, f"{n:022}") for n in range(1, LISTS_MAX + 2)]
    fact = campaign_erased(7, lists, NOON)
    assert fact.through == LISTS_MAX
    assert len(offered(fact).encode()) < RECORD_BYTES_MAX // 2 + 10_000, "with room for more"
