"""The index of each campaign's own records, its snapshots, and the reader that uses both."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from campaigns.domain.campaign import Campaign, dump
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import CampaignFact, CampaignPaused, CampaignResumed
from campaigns.log.port import MemoryLog
from campaigns.log.selection import NEAR
from campaigns.process.errors import LogCutError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from projector.advance import Views
from projector.past.own_records import records_of
from projector.projections import contacts, records
from projector.projections.changes import Changes
from projector.store import record_index
from projector.store.tables import CONTACTS, EARLIER, RECORDS, SNAPSHOTS
from projector.store.view_store import ViewStore
from tests.integration.test_time_travel import told
from tests.support.journal import Journal, every_partition

EVERY = 32  # Records between snapshots here, so that a short history has some.
CAMPAIGNS = range(1, 7)
_MET = list(CONTACTS.c).index(CONTACTS.c.met)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SNAPSHOT_EVERY", EVERY)
    monkeypatch.setattr(contacts, "STRETCH", 40)


@pytest.fixture(scope="module")
def journal() -> Journal:
    """Six campaigns on two partitions: one with most records, some with a few, all mixed."""
    told, chance = Journal(partitions=2), random.Random(3)
    for campaign_id in CAMPAIGNS:
        told.create(campaign_id)
        told.start(campaign_id)
    for _ in range(1_100):
        campaign_id = chance.choice((1, 1, 1, 1, 1, *CAMPAIGNS))
        match chance.randrange(4):
            case 0:
                told.refused(campaign_id)
            case 1:
                told.log.append_bytes(Partition(CAMPAIGN_RECORDS, campaign_id % 2), b"strange")
            case _:
                told.write(
                    CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=told.now),
                    CampaignResumed(campaign_id=campaign_id, reason=None, resumed_at=told.now),
                    campaign_id=campaign_id,
                )
    return told


def fold(journal: Journal, store: ViewStore, batches: random.Random | None = None) -> Views:
    """Fold all that the store has not folded yet, in batches of any size."""
    store.belongs_to(journal.log.id, publishes=False)
    views = Views(store, journal.log, False, lambda _: None)
    every = every_partition(journal)
    views.restore(every)
    for partition in every:
        left = list(journal.log._records[partition])
        while left:
            many = batches.randint(1, 40) if batches else 256
            views.reader.step(partition, left[:many])
            left = left[many:]
    return views


@pytest.fixture
def views(journal: Journal, folder: Path) -> Iterator[Views]:
    store = ViewStore(None, folder)
    yield fold(journal, store)
    store.close()


def own(journal: Journal, campaign_id: int) -> Sequence[Recorded]:
    """Return the campaign's records, as the journal has them."""
    return [
        one
        for one in journal.records
        if any(isinstance(f, CampaignFact) and f.campaign_id == campaign_id for f in one.facts)
    ]


def state(mine: Sequence[Recorded], campaign_id: int) -> Campaign:
    """Return what these records come to."""
    campaigns = Campaigns()
    for one in mine:
        for fact in one.facts:
            if isinstance(fact, CampaignFact):
                campaigns.fold(fact, one)
    return campaigns.by_id[campaign_id]


def end(journal: Journal, campaign_id: int) -> int:
    return len(journal.log._records[campaign_partition(campaign_id, 2)])


def test_the_index_has_the_accepted_records_of_each_campaign(
    journal: Journal, views: Views
) -> None:
    chance = random.Random(1)
    with views.store.reading() as tx:
        for campaign_id in CAMPAIGNS:
            mine, last = (
                [one.position for one in own(journal, campaign_id)],
                end(journal, campaign_id),
            )
            assert list(record_index.positions(tx, campaign_id, 0, last)) == mine
            for _ in range(20):
                after, through = sorted((chance.randint(0, last), chance.randint(0, last)))
                found = record_index.positions(tx, campaign_id, after, through)
                assert list(found) == [n for n in mine if after < n <= through]
        assert len(own(journal, 1)) > 2 * records.BLOCK, "several blocks are needed"
        assert not record_index.positions(tx, 99, 0, 10**9)


def test_a_snapshot_is_the_state_after_its_record(journal: Journal, views: Views) -> None:
    with views.store.reading() as tx:
        for campaign_id in CAMPAIGNS:
            mine = own(journal, campaign_id)
            for many, one in enumerate(mine, 1):
                position, campaign = record_index.snapshot(tx, campaign_id, one.position)
                taken = many - many % EVERY
                assert position == (mine[taken - 1].position if taken else 0)
                if campaign is not None and not many % 13:
                    assert dump(campaign) == dump(state(mine[:taken], campaign_id))


def test_no_row_depends_on_the_batches_or_on_a_restart(
    journal: Journal, views: Views, folder: Path
) -> None:
    rows = views.store.dump([RECORDS, SNAPSHOTS])
    assert all(rows.values())
    for seed in range(3):
        (folder / str(seed)).mkdir()
        half = Journal(partitions=2)
        half.log._records = {
            one: found[: len(found) // 2] for one, found in journal.log._records.items()
        }
        store = ViewStore(None, folder / str(seed))
        fold(half, store, random.Random(seed))
        fold(journal, store, random.Random(seed))
        assert store.dump([RECORDS, SNAPSHOTS]) == rows
        store.close()


def test_what_contacts_were_earlier_depends_on_no_batch_either(folder: Path) -> None:
    journal, found = told(5), list[dict[str, list[tuple[Any, ...]]]]()
    met = list[dict[int, int]]()
    for number, batches in enumerate((None, random.Random(1), random.Random(2))):
        (folder / f"{number}").mkdir()
        store = ViewStore(None, folder / f"{number}")
        fold(journal, store, batches)
        dumped = store.dump([EARLIER, CONTACTS])
        met.append({row[1]: row[_MET] for row in dumped.pop(CONTACTS.name)})
        found.append(dumped)
        store.close()
    assert found[0] == found[1] == found[2]
    assert met[0] == met[1] == met[2]
    assert len(set(met[0].values())) > 1, "in several stretches"
    (rows,) = found[0].values()
    assert rows, "some had changed before"
    assert all(row[-1] for row in rows), "of those that were new, only CONTACTS tells"


def test_snapshots_of_a_large_state_are_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal()
    journal.create(contacts=60)
    journal.start()
    for contact_id in range(1, 61):
        journal.ask(contact_id)
    campaign, changes = state(own(journal, 1), 1), Changes()
    monkeypatch.setattr(records, "_MASS", 10_000)  # 60 open calls weigh two of these.
    for n in range(1, 10):
        records.snapshot(changes, campaign, n, n * EVERY)
    assert [position for _, position in changes.snapshots] == [3, 6, 9]


def test_the_latest_time_of_a_batch_is_that_of_its_latest_record() -> None:
    noon = "2026-03-02T12:00:00+00:00"
    at = records.micros(noon)
    assert records.latest([noon, "2026-03-02T11:59:59+00:00"]) == at
    assert records.latest([noon, "2026-03-02T12:00:00.000001+00:00"]) == at + 1
    assert records.latest([noon, "2026-03-02T12:30:00+01:00"]) == at, "it is earlier"
    assert records.latest([noon, "2026-03-02T13:30:00+01:00"]) == at + 30 * 60 * 10**6
    for nonsense in ("", "noon", "2026-03-02T12:00:00", "2026-99-02T12:00:00+00:00", "\ud800"):
        assert records.latest([noon, nonsense]) == at
        assert records.latest([nonsense]) == 0


class CountedReads(MemoryLog):
    """Counts what is read of it."""

    read_records = reads = 0

    async def read(self, partition: Partition, after: int, limit: int) -> Sequence[Recorded]:
        """Read, and count."""
        found = await super().read(partition, after, limit)
        self.reads, self.read_records = self.reads + 1, self.read_records + len(found)
        return found


async def test_the_reader_yields_a_campaigns_own_records_and_seeks_over_others(
    folder: Path,
) -> None:
    journal = Journal()
    log = journal.log = CountedReads()
    for _ in range(3):  # Records of campaign 1 close together, then far apart.
        for campaign_id in (1, 2, 1, 2):
            if not log._records[Partition(CAMPAIGN_RECORDS, 0)]:
                journal.create(1)
                journal.create(2)
            journal.write(
                CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=journal.now),
                campaign_id=campaign_id,
            )
        for _ in range(NEAR + 1):
            journal.refused(2)
    store = ViewStore(None, folder)
    fold(journal, store)
    found: list[Recorded] = []
    async for some in records_of(store, log, 1, after=0, through=10**9):
        found += some
    assert found == list(own(journal, 1))
    assert log.reads == 3
    assert log.read_records == 3 + 1 + 2 * 3 + 1, "what lies between near ones is read, no more"
    found = []
    async for some in records_of(store, log, 1, after=own(journal, 1)[0].position, through=6):
        found += some
    assert found == list(own(journal, 1))[1:3]
    cut = Journal()
    cut.log._records = {one: found[:4] for one, found in log._records.items()}
    with pytest.raises(LogCutError):
        async for _ in records_of(store, cut.log, 1, after=0, through=10**9):
            pass
    store.close()
