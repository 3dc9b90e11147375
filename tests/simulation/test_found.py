"""What the simulation found, each as one named story that is told without chance."""

import asyncio

from campaigns.campaign import Status
from campaigns.facts import ContactsAdded, ContactsReplaced, ImportCompleted, ImportSource, Row
from campaigns.virtual_time import run_virtually
from tests.simulation.test_dialing import bench, dialing


def test_contacts_that_were_read_ahead_and_replaced_do_not_stop_the_run() -> None:
    """Found by the simulation: all that were looked at were gone, and nothing woke the dialer."""

    async def scenario() -> None:
        b = bench()
        b.carrier.talk_s = 0.5
        await b.campaign(30, max_concurrent_calls=2)
        async with dialing(b) as dialer:
            await asyncio.sleep(1)
            await b.pause()
            await asyncio.sleep(5)
            rows = tuple(Row(phone_number=f"+1666{n:07}") for n in range(5))
            await b.offer(
                ContactsReplaced(
                    campaign_id=42, import_id="new", through=30, replaced_at=b.clock.now()
                ),
                ContactsAdded(import_id="new", first_row=1, rows=rows),
                ImportCompleted(
                    campaign_id=42, import_id="new", number=1, source=ImportSource.CSV,
                    file_name=None, first_contact_id=31, rows=5, skipped=0, failed=0, errors=(),
                    variable_mappings={}, available_variables=(), completed_at=b.clock.now(),
                ),
            )  # fmt: skip
            await b.resume()
            await asyncio.sleep(60)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert {31, 32, 33, 34, 35} <= {call.contact_id for _, call in b.carrier.rings}

    run_virtually(scenario())
