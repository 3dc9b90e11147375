"""Makes the numbers of encrypted rows known, before an import looks for those that it brings again.

Source: ADR-0041.
"""

import asyncio

from campaigns.domain.campaign import Campaign
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_reader import rows_of
from campaigns.stores.contacts import Contacts
from command_api.slices import REST_S

SLICE_ROWS = 200  # Decrypted at once: some 2 ms.


async def know_numbers(campaign: Campaign, contacts: Contacts, keys: ListKeys | None) -> None:
    """Read the rows of a campaign's lists whose numbers are not known yet.

    Raises:
        KeyUnavailableError: a key is missing; nobody was forgotten.

    """
    numbers = contacts.numbers
    assert numbers is not None, "the command API knows numbers"
    refreshed, begins = False, 0
    while (
        some := numbers.unmarked(
            campaign.campaign_id, SLICE_ROWS, begins=begins, erased_through=campaign.erased_through
        )
    ) is not None:
        begins = some.begins
        if some.key_id is not None and keys is not None and not refreshed:
            await keys.store.refresh()
            refreshed = True
        rows = rows_of(keys, some.key_id, some.first, some.details)
        phones = [row.phone_number if row else None for row in rows]
        for row in contacts.erased_rows(campaign, some.list_id, some.first, len(phones)):
            phones[row - some.first] = None
        numbers.add(some.list_id, some.first, phones)
        await asyncio.sleep(REST_S)
