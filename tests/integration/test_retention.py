"""Contacts of campaigns that ended long ago are forgotten, once, by whoever comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import msgspec
import pytest

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.domain.facts import CampaignErased
from campaigns.log.port import MemoryLog
from campaigns.process.clock import SystemClock
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partitions
from campaigns.testing.sample_records import NOON
from command_api import eraser
from command_api import retention as retention_module
from command_api.retention import Retention
from command_api.service import CommandApi
from command_api.settings import CommandApiSettings
from tests.support.waiting import until
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

DAYS = 30
PEOPLE = [{"phone_number": f"+1415555{n:04}", "name": f"Person {n}"} for n in range(5)]


class Ahead(SystemClock):
    """A clock that is some days ahead of the system's."""

    def __init__(self, days: float) -> None:
        super().__init__()
        self._ahead = timedelta(days=days)

    def now(self) -> datetime:
        """Return the instant then."""
        return super().now() + self._ahead


class Later:
    """A command API some days later."""

    def __init__(self, commands: CommandApi, days: float) -> None:
        self._commands, self.clock = commands, Ahead(days)

    def __getattr__(self, name: str) -> object:
        return getattr(self._commands, name)


def retention(api: Whole, days_later: float) -> Retention:
    return Retention(Later(api.commands, days_later), DAYS)  # type: ignore[arg-type]  # As it is.


async def erased(log: MemoryLog) -> list[CampaignErased]:
    """Return what counts: of two at once the log holds both, and one is refused."""
    found = list[CampaignErased]()
    for partition in campaign_partitions(log.partitions(CAMPAIGN_RECORDS)):
        async for batch in ruled_batches(log, partition, PartitionRuling()):
            facts = [fact for ruled in batch if ruled.accepted for fact in ruled.recorded.facts]
            found += [fact for fact in facts if isinstance(fact, CampaignErased)]
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Whole, Whole]]:
    """Return two instances on one log."""
    for module in (eraser, retention_module):  # Another test may just have had the same line.
        monkeypatch.setattr(module.logger, "filters", [])
    log = MemoryLog(2)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(whole_api(log))
        yield first, await stack.enter_async_context(whole_api(log))


async def over(api: Whole) -> int:
    """Create a campaign with contacts, start it and stop it; return its id."""
    campaign = await api.create(contacts=PEOPLE)
    for verb in ("start", "stop"):
        answer = await api.client.post(f"{CAMPAIGNS}/{campaign}/{verb}")
        assert answer.status_code == 200, answer.text
    return campaign


async def test_who_ended_long_ago_is_forgotten_once_by_whoever_comes(
    two: tuple[Whole, Whole],
) -> None:
    api, other = two
    log, keys = api.log, api.log.list_keys
    assert isinstance(log, MemoryLog)
    assert keys is not None
    campaign = await over(api)
    running = await api.create(contacts=PEOPLE)
    await until(lambda: running in other.commands.campaigns.by_id)
    assert await retention(api, DAYS - 1).check() == 0, "it is not old enough"
    (shown, *_) = (await api.get(f"{campaign}/contacts"))["items"]
    assert shown["name"] == "Person 0"

    both = await asyncio.gather(
        retention(api, DAYS + 1).check(), retention(other, DAYS + 1).check()
    )
    assert sum(both) == 1, "one of them has recorded it"
    (fact,) = await erased(log)
    assert (fact.campaign_id, fact.through, len(fact.key_ids)) == (campaign, len(PEOPLE), 1)
    await until(lambda: keys.store.find(fact.key_ids[0]) is None)
    for each in two:
        items = (await each.get(f"{campaign}/contacts"))["items"]
        assert [one["name"] for one in items] == [None] * len(PEOPLE)
        items = (await each.get(f"{running}/contacts"))["items"]
        assert [one["name"] for one in items] == [one["name"] for one in PEOPLE]

    assert await retention(api, DAYS + 2).check() == 0
    assert await retention(other, DAYS + 2).check() == 0
    assert len(await erased(log)) == 1, "never twice"


async def test_a_deleted_campaign_is_forgotten_and_one_that_goes_on_again_is_not(
    two: tuple[Whole, Whole],
) -> None:
    api, _ = two
    assert isinstance(api.log, MemoryLog)
    deleted, again = await over(api), await over(api)
    assert (await api.client.delete(f"{CAMPAIGNS}/{deleted}")).status_code == 200
    answer = await api.client.post(
        f"{CAMPAIGNS}/{again}/re-execute", json={"contact_selection": "all"}
    )
    assert answer.status_code == 200, answer.text
    assert await retention(api, DAYS + 1).check() == 1
    assert [fact.campaign_id for fact in await erased(api.log)] == [deleted]


async def test_a_forgotten_campaign_takes_new_contacts_and_knows_no_old_number(
    two: tuple[Whole, Whole],
) -> None:
    api, _ = two
    campaign = await api.create(contacts=PEOPLE)
    url = f"{CAMPAIGNS}/{campaign}/contacts"
    again = await api.client.post(url, json={"contacts": PEOPLE})
    assert again.json()["imported_count"] == 0, "they are known"
    numbers = api.commands.contacts.numbers
    assert numbers is not None
    known = "select count(*) from numbers where mark <> ''"
    assert numbers._db.execute(known).fetchone() == (len(PEOPLE),)
    for verb in ("start", "stop"):
        await api.client.post(f"{CAMPAIGNS}/{campaign}/{verb}")
    assert await retention(api, DAYS + 1).check() == 1
    assert numbers._db.execute(known).fetchone() == (0,)


async def test_keys_are_warned_of_where_they_are_long_after_their_fact_alone(
    two: tuple[Whole, Whole], caplog: pytest.LogCaptureFixture
) -> None:
    api, _ = two
    assert isinstance(api.log, MemoryLog)
    keys, campaign = api.log.list_keys, await over(api)
    assert keys is not None
    (key_id,) = api.commands.contacts.key_ids(campaign)
    saved = keys.store.find(key_id)
    assert saved is not None
    assert await retention(api, DAYS + 1).check() == 1
    await until(lambda: keys.store.find(key_id) is None)
    found = warnings(caplog)
    assert f"over for long, and their contacts forgotten: campaign {campaign}" in found
    assert not [one for one in found if "still there" in one], "it is as it should be"
    (fact,) = await erased(api.log)
    starts, folds = eraser.Eraser(api.commands), eraser.Eraser(api.commands)
    starts.open(api.commands.store.db)
    folds.open(api.commands.store.db)
    await folds.forget_all()
    folds.fold(msgspec.structs.replace(fact, erased_at=NOON))
    for how in (starts, folds):
        await keys.store.add({key_id: saved})  # As from a backup.
        caplog.clear()
        assert await how.forget_all() == 1
        assert warnings(caplog) == ["keys of erased contacts were still there, and are deleted"]


async def test_plain_contacts_are_looked_for_again_only_when_there_are_more(
    two: tuple[Whole, Whole], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, _ = two
    first, second = await over(api), await over(api)
    looks, asked = retention(api, DAYS + 1), list[int]()

    def has_plain(campaign_id: int, after: int) -> bool:
        asked.append(campaign_id)
        return True

    monkeypatch.setattr(api.commands.contacts, "has_plain", has_plain)
    for _ in range(3):
        assert await looks.check() == 0
    assert sorted(asked) == sorted([first, second])
    assert len([one for one in warnings(caplog) if "with plain contacts" in one]) == 1
    more = {"contacts": [{"phone_number": "+14155559999"}]}
    again = {"contact_selection": "all"}
    for verb, body in (("re-execute", again), ("contacts", more), ("start", {}), ("stop", {})):
        answer = await api.client.post(f"{CAMPAIGNS}/{first}/{verb}", json=body)
        assert answer.status_code == 200, answer.text
    await looks.check()
    assert asked[2:] == [first]
    monkeypatch.undo()
    assert await retention(api, DAYS + 1).check() == 2, "without plain ones they are forgotten"


@pytest.mark.parametrize("given", [0, -1, 36_501, "a month"])
def test_days_are_a_number_of_days(given: object) -> None:
    with pytest.raises(ValueError, match="forget_after_days"):
        CommandApiSettings.model_validate({"forget_after_days": given})
    assert CommandApiSettings().forget_after_days is None, "off, unless it is asked for"
