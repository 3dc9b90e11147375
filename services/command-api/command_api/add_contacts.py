"""Contacts that come as JSON are appended, in one record or in chunks.

What is decided, and why it stays true, is in import_contacts.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from campaigns.campaign import Move
from campaigns.decider import Rejected
from campaigns.errors import TooContendedError
from campaigns.facts import ImportSource, Row
from campaigns.handling import Handled, Origin
from command_api.chunking import TRIES_S, Chunks, Imported, Service, decide, ready, recall
from command_api.import_contacts import COMPLETE_IMPORT, CompleteImport, basis_of, completing
from command_api.new_rows import SLICE_ROWS, Tally, unknown
from command_api.rows import VARIABLES_MAX, chunks, fits


async def add_contacts(
    service: Service,
    campaign_id: int,
    organization_id: int,
    rows: Sequence[Row],
    repeated: int,
    origin: Origin,
) -> Imported | Rejected:
    """Append contacts to a campaign, those aside whose number it has already.

    `repeated`: how many duplicates the request itself had. An empty list adds nothing.

    Raises:
        OperatingError: the log misbehaved; see its `may_still_take_effect`.

    """
    give_up_at = service.clock.monotonic() + TRIES_S
    while service.clock.monotonic() < give_up_at:
        found = await ready(service, campaign_id, organization_id, Move.APPEND, origin)
        if isinstance(found, Rejected):
            return found
        if isinstance(found, Handled):
            return await recall(service, campaign_id, found)
        campaign = found
        basis, tally = basis_of(campaign, replacing=False), Tally(duplicates=repeated)
        new: list[Row] = []
        for first in range(0, len(rows), SLICE_ROWS):
            some = rows[first : first + SLICE_ROWS]
            new += unknown(campaign, service.contacts, some, tally, replacing=False)
            await asyncio.sleep(0)
        command = CompleteImport(
            campaign_id=campaign_id,
            organization_id=organization_id,
            import_id=uuid4().hex,
            source=ImportSource.API,
            file_name=None,
            chunks=tuple(chunks(new)),
            rows=len(new),
            skipped=tally.skipped,
            variable_mappings={},
            available_variables=_variables(new),
            basis=basis,
            announced=False,
            now=service.clock.now(),
        )
        if not fits(completing(campaign, command)):
            without_key = Origin(origin.actor, origin.correlation_id)  # It belongs to the last.
            sent = Chunks(service, campaign_id, command.import_id, without_key, announced=False)
            await sent.add(new)
            await sent.finish()
            command = replace(command, chunks=())
        done = await decide(service, COMPLETE_IMPORT, command, origin)
        if isinstance(done, Rejected):
            return done
        if done.repeated:
            return await recall(service, campaign_id, done)
        if done.ruling is not None or (not new and basis == basis_of(campaign, replacing=False)):
            return Imported(None, True, len(new), tally.skipped, command.now, done.ruling)
    raise TooContendedError(f"campaign {campaign_id}: its contacts kept changing")


def _variables(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the template variables of a list, in the order of their first use, the first 100."""
    return tuple(dict.fromkeys(name for row in rows for name in row.variables))[:VARIABLES_MAX]
