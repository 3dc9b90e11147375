"""`dialgate why`: which gate keeps a contact from being called, and what became of it.

Reads the campaign's own records by the projector's index, where there is one that has reached the
log's end; else, and from an export, the campaign's partition once. Writes nothing. It asks the
gates and the queue that the dialer asks (ADR-0031); what only a running dialer knows of itself is
left out. Whether keys of contacts are missing is known of the present, and of no export.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import orjson
import typer

from campaigns.audit.contact_history import ErasedThrough, HistoryEntry, entries_of
from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.moves import Status
from campaigns.domain.values.instants import instant
from campaigns.gates.gates import first_shut
from campaigns.gates.room import Reading, Turn, room
from campaigns.process.clock import SystemClock
from campaigns.process.printable_text import one_line
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from dialgate.settings import ProcessSettings
from dialgate.verbs.inspection.campaign_records import campaign_records, note_keys, own
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    Reveal,
    checked_settings,
    run_verb,
    source,
)


class WhyQuestion(NamedTuple):
    """Whom it is about, and when."""

    campaign_id: int
    contact_id: int
    at: datetime
    reveal: bool = False  # Show personal data.
    past: bool = False  # It is asked what was so at an instant.


class FoldedUntil(NamedTuple):
    """What the log says up to the instant."""

    campaigns: Campaigns
    contacts: Contacts
    history: list[HistoryEntry]


def command(
    campaign: Annotated[int, typer.Argument(min=1, metavar="CAMPAIGN", help="Its id.")],
    contact: Annotated[int, typer.Argument(min=1, metavar="CONTACT", help="Its id in there.")],
    at: Annotated[
        str | None, typer.Option("--at", help="An instant, such as 2026-03-02T12:00:00Z; now.")
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Say why a contact is not called now, or was not at an instant, and what became of it."""
    settings = checked_settings()
    told = why(settings, campaign, contact, at, as_json=as_json, exported=exported, reveal=reveal)
    run_verb(told)


async def why(
    settings: ProcessSettings,
    campaign_id: int,
    contact_id: int,
    at: str | None = None,
    *,
    as_json: bool = False,
    exported: Path | None = None,
    reveal: bool = False,
) -> int:
    """Print which gate is shut for a contact, and its history. Returns 0.

    Raises:
        MisusedError: there is no such campaign or contact by then, or no such instant.
        ContractError: this build does not know an accepted fact.
        LogUnavailableError: the log cannot be reached.

    """
    asked = WhyQuestion(campaign_id, contact_id, _instant(at), reveal, at is not None)
    async with source(settings, exported) as read:
        with _contacts() as contacts:
            reading = campaign_records(settings, read, asked.campaign_id, exported)
            async with reading as (records, unread_of):
                folded = await _folded(records, asked, contacts)
                found = folded.campaigns.get(campaign_id)
                unread = unread_of(found, contacts) if found and not asked.past else None
            campaign = folded.campaigns.get(campaign_id)
            by_then = f" by {instant(asked.at)}" if at is not None else ""
            if campaign is None or campaign.deleted:
                raise MisusedError(f"expected a campaign of this log{by_then}, found {campaign_id}")
            if contact_id > campaign.contacts_end:
                raise MisusedError(
                    f"expected a contact of campaign {campaign_id}{by_then}, 1 to"
                    f" {campaign.contacts_end}, found {contact_id}"
                )
            shape = _shape(asked, campaign, folded, unread)
    say(orjson.dumps(shape).decode() if as_json else _text(shape))
    return 0


def _instant(text: str | None) -> datetime:
    """Return the instant that is asked about.

    Raises:
        MisusedError: the text is none, or names no offset, or has not come yet.

    """
    now = SystemClock().now()
    if text is None:
        return now
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise MisusedError(
            f"--at: expected an instant with its offset, such as 2026-03-02T12:00:00Z, found {text}"
        )
    if found > now:
        raise MisusedError(f"--at: {text} has not come yet: it is {instant(now)}")
    return found.astimezone(UTC)


@contextmanager
def _contacts() -> Iterator[Contacts]:
    """Yield an empty store of contacts, in a temporary file of SQLite's."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute("begin")  # Never committed.
        yield Contacts(db)


async def _folded(
    records: AsyncIterator[Sequence[Recorded]], asked: WhyQuestion, contacts: Contacts
) -> FoldedUntil:
    """Fold the campaign's own records up to the first one that is later than the instant."""
    folded, erased = FoldedUntil(Campaigns(), contacts, []), ErasedThrough()
    async for some in records:
        for recorded in some:
            if not own(recorded, asked.campaign_id):
                note_keys(contacts, recorded)
                continue
            if _time(recorded) > asked.at:
                return folded
            fold_contacts(folded.campaigns, contacts, recorded)
            folded.history.extend(
                entries_of(
                    recorded, asked.campaign_id, asked.contact_id, erased, reveal=asked.reveal
                )
            )
        contacts.flush()
    return folded


def _time(recorded: Recorded) -> datetime:
    """Return when a record says that it was written; long ago, if it says nothing readable."""
    assert isinstance(recorded.envelope, Envelope), "an accepted record"
    try:
        found = datetime.fromisoformat(recorded.envelope.time)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _shape(
    asked: WhyQuestion, campaign: Campaign, folded: FoldedUntil, unread: str | None
) -> dict[str, object]:
    """Return the answer in the form of `GET …/contacts/{contact_id}/why`."""
    from dialer.reactor.queue import CampaignQueue
    from projector.why.why_shapes import why_shape

    contact = folded.contacts.get(campaign, asked.contact_id)
    running = campaign.status is Status.RUNNING
    reading = Reading(campaign, contact, unread=unread if running else None)
    shut = first_shut(reading, asked.at)
    if shut is None:
        wanted = room(reading, asked.at)
        found = CampaignQueue().candidates(campaign, folded.contacts, asked.at, wanted)
        turn = Turn([one.contact_id for one in found], None)
        shut = first_shut(reading._replace(turn=turn), asked.at)
    shape = why_shape(campaign, contact, shut, folded.history, None)
    return {"campaign_id": asked.campaign_id, "asked_at": instant(asked.at), **shape}


def _text(shape: dict[str, object]) -> str:
    now, history = shape["now"], shape["history"]
    assert isinstance(now, dict), "as the API has it"
    assert isinstance(history, list), "as the API has it"
    said = f"{now['gate']}: {now['text']}" if now["gate"] else now["text"]
    until = f"; opens {now['retry_at']}" if now["retry_at"] else ""
    lines = [
        f"contact {shape['contact_id']} of campaign {shape['campaign_id']}: {shape['status']}",
        f"at {shape['asked_at']}  {said}{until}",
    ]
    lines += [f"{one['at']}  {one['position']}  {one['actor']}  {one['text']}" for one in history]
    return "\n".join(map(one_line, lines))
