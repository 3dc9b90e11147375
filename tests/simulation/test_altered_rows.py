"""A row that is not what was written in its place ends its call: nobody is called by chance."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from campaigns.domain.facts import CallAbandoned, CallEnded, CampaignStarted, Disposition
from campaigns.domain.moves import Status
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.personal.row_cipher import contacts_encrypted, encrypted
from campaigns.process.virtual_time import run_virtually
from tests.simulation.test_dialing import Bench, bench, dialing
from tests.support.sample_facts import campaign_created

NUMBERS = [f"+1555000000{n}" for n in range(6)]
Alter = Callable[[list[str]], list[str]]


async def campaign(b: Bench, alter: Alter, campaign_id: int = 42) -> None:
    """Begin a campaign of encrypted contacts, whose rows were altered in the log."""
    assert b.log.list_keys is not None
    key, import_id = await b.log.list_keys.take(), uuid4().hex
    rows = encrypted(key.tree, key.key_id, 1, [Row(phone_number=one) for one in NUMBERS])
    now, count = b.clock.now(), len(NUMBERS)
    settings = CampaignSettings.validated({"max_attempts": 1, "calls_per_minute": 6000})
    await b.offer(contacts_encrypted(import_id, 1, key.key_id, alter(list(rows))))
    made = campaign_created(campaign_id, now, settings=settings, import_id=import_id, rows=count)
    await b.offer(made)
    await b.offer(CampaignStarted(campaign_id=campaign_id, run=1, started_at=now))


def one_letter(rows: list[str]) -> list[str]:
    altered = rows[2]
    return [
        *rows[:2],
        altered[:30] + ("B" if altered[30] == "A" else "A") + altered[31:],
        *rows[3:],
    ]


def swapped(rows: list[str]) -> list[str]:
    """Move two rows to each other's place: their contacts would be called as one another."""
    return [*rows[:2], rows[3], rows[2], *rows[4:]]


def no_base64(rows: list[str]) -> list[str]:
    return [*rows[:2], "no row at all", *rows[3:]]


def cut_short(rows: list[str]) -> list[str]:
    return [*rows[:2], rows[2][:12], *rows[3:]]


@pytest.mark.parametrize(
    ("alter", "whose"),
    [(one_letter, [3]), (swapped, [3, 4]), (no_base64, [3]), (cut_short, [3]), (list, [])],
)
def test_its_call_ends_and_says_so_and_others_go_on(
    alter: Alter,
    whose: Sequence[int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(logging.getLogger("dialer.reactions"), "filters", [])  # Say it each time.

    async def scenario() -> None:
        b = bench()
        await campaign(b, alter)
        async with dialing(b) as dialer:
            await asyncio.sleep(60)
            found = dialer.campaigns.by_id[42]
            assert found.status is Status.COMPLETED, "it is nobody else's end"
            assert (found.counters.completed, found.counters.failed) == (6 - len(whose), len(whose))
        called = {call.contact_id: call.to for _, call in b.carrier.rings}
        assert called == {n: one for n, one in enumerate(NUMBERS, 1) if n not in whose}
        assert not b.of(CallAbandoned), "it is no key that comes back"
        ended = {fact.contact_id: fact for fact in b.of(CallEnded)}
        for contact_id in whose:
            assert ended[contact_id].disposition is Disposition.FAILED
            assert f"row {contact_id} of the list with key" in str(ended[contact_id].error)
            assert any(f"contact 42/{contact_id}: row" in line for line in caplog.messages)

    run_virtually(scenario())
