"""What each fact says, as one sentence in plain English. Pure.

`log`, the story of a campaign (story.py), its page and its route say the same, because all of them
ask here. Nothing in a text identifies a person unless it is asked to `reveal`, and no text steers
a terminal or turns a line: it comes from tenants and carriers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from campaigns.audit.masks import masked_number, masked_text
from campaigns.audit.stories.campaign_texts import import_text, lifecycle_text
from campaigns.audit.stories.phrases import because, clipped, moment
from campaigns.audit.stories.webhook_texts import webhook_text
from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    ApiKeyCreated,
    ApiKeyRevoked,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignErased,
    ContactErased,
    ContactExhausted,
    ContactsAdded,
    ContactsEncrypted,
    ContactSkipped,
    ContactsReplaced,
    CreateKeyed,
    HomeChosen,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    LevelRaised,
    ListClosed,
    ListEvent,
    ListRows,
    RecordSkipped,
    WebhookFact,
)
from campaigns.domain.values.rows import ERASED, UNREADABLE, Revealed, Row, UnreadableRow
from campaigns.process.printable_text import one_line

_ROWS_SHOWN = 3  # Of a chunk of contacts.
OpenRows = Callable[[ContactsEncrypted, int | None], Iterable[Revealed]]  # So many of its first.

WHY_ABANDONED = {
    Abandonment.NOT_RUNNING: "the campaign was paused or stopped before the carrier was asked",
    Abandonment.LEASE_OVER: "it was read back too late to be used",
    Abandonment.REFUSED_LATE: "the carrier refused to ring so late",
    Abandonment.NOT_PLACED: "the carrier does not know the call",
    Abandonment.RANG_LATE: "the phone rang too late and the call was hung up",
    Abandonment.ERASED: "the contact was erased",
    Abandonment.UNREADABLE: "the contact could not be read: its key was missing",
    Abandonment.SHUTTING_DOWN: "the dialer was stopping",
}


def text_of(fact: AnyFact, *, reveal: bool = False, opened: OpenRows | None = None) -> str:
    """Return what a fact says: one line, without a time or an actor of its own.

    `reveal`: show phone numbers whole, and names. `opened`: opens the first
    of encrypted ones.
    """
    match fact:
        case CallRequested() | CallStarted() | CallAbandoned() | CallEnded() | CallLate():
            text = _of_call(fact, reveal=reveal)
        case ContactExhausted():
            text = (
                f"Contact {fact.contact_id} gets no further attempt after {fact.attempts}:"
                " max_attempts was lowered."
            )
        case ContactSkipped():
            text = f"Contact {fact.contact_id} is not called: it was erased."
        case ContactErased():
            text = f"Contact {fact.contact_id} was erased: nobody can read it any more."
        case CampaignErased():
            text = f"Contacts 1 to {fact.through} were erased: nobody can read them any more."
        case ContactsReplaced() | ImportStarted() | ImportCompleted() | ImportFailed():
            text = import_text(fact, reveal=reveal)
        case ContactsAdded() | ContactsEncrypted() | ListClosed() | CreateKeyed():
            text = _of_list(fact, reveal=reveal, opened=opened)
        case ApiKeyCreated() | ApiKeyRevoked() | LevelRaised() | RecordSkipped() | HomeChosen():
            text = _of_operators(fact)
        case WebhookFact():
            text = webhook_text(fact)
        case _:
            text = lifecycle_text(fact)
    return clipped(one_line(text))


def _of_call(
    fact: CallRequested | CallStarted | CallAbandoned | CallEnded | CallLate, *, reveal: bool
) -> str:
    told = str if reveal else masked_text
    attempt = f"attempt {fact.attempt} of run {fact.run}"
    match fact:
        case CallRequested():
            return (
                f"Contact {fact.contact_id} may be called, {attempt}: no ring begins after"
                f" {moment(fact.ring_by)}."
            )
        case CallStarted():
            return f"Contact {fact.contact_id}'s phone began to ring, {attempt}."
        case CallAbandoned():
            done = " No attempt is left." if fact.exhausted else ""
            why = WHY_ABANDONED[fact.reason]
            return f"Contact {fact.contact_id} was not called, {attempt}: {why}.{done}"
        case CallEnded():
            talk = f" after {fact.duration_s:g} s" if fact.duration_s else ""
            error = f" ({told(fact.error)})" if fact.error else ""
            again = f"; to be called again from {moment(fact.retry_at)}" if fact.retry_at else ""
            how = fact.disposition.value.replace("-", " ")
            return (
                f"The call to contact {fact.contact_id} ended{talk}, {attempt}:"
                f" {how}{error}{again}."
            )
        case CallLate():
            return (
                f"Contact {fact.contact_id}'s phone rang when it should not have, {attempt}:"
                f" {told(fact.detail).rstrip('.')}."
            )
        case unreachable:
            assert_never(unreachable)


def _of_list(fact: ListEvent | CreateKeyed, *, reveal: bool, opened: OpenRows | None) -> str:
    match fact:
        case ContactsEncrypted():
            shown = _opened(opened(fact, _ROWS_SHOWN), len(fact.rows)) if opened else ""
            return f"{_stretch(fact)}, encrypted{shown}."
        case ContactsAdded():
            return f"{_stretch(fact)}: {_rows(fact.rows, reveal=reveal)}."
        case ListClosed():
            counts = "its contacts count" if fact.counts else "it will never count"
            return f"List {fact.import_id} is closed: {counts}."
        case CreateKeyed():
            return (
                f"The Idempotency-Key of this create belongs to campaign {fact.campaign_id} of"
                f" organization {fact.organization_id}."
            )
        case unreachable:
            assert_never(unreachable)


def _stretch(chunk: ListRows) -> str:
    last = chunk.first_row + len(chunk.rows) - 1
    return f"Rows {chunk.first_row:,} to {last:,} of list {chunk.import_id}"


def _rows(rows: Sequence[Row], *, reveal: bool) -> str:
    shown = [
        _whole(row) if reveal else masked_number(row.phone_number) for row in rows[:_ROWS_SHOWN]
    ]
    return _counted(shown, len(rows))


def _opened(rows: Iterable[Revealed], count: int) -> str:
    """Return what encrypted rows say; where none can be read, why."""
    found = list(rows)
    why = {one.why for one in found if isinstance(one, UnreadableRow)}
    if len(why) == 1 and all(isinstance(one, UnreadableRow) for one in found):
        return f" and {UNREADABLE}: {why.pop()}"
    return ": " + _counted([_word(one) for one in found], count)


def _word(row: Revealed) -> str:
    match row:
        case None:
            return ERASED
        case UnreadableRow():
            return f"{UNREADABLE} ({row.why})"
        case Row():
            return _whole(row)


def _whole(row: Row) -> str:
    return f"{row.phone_number} {row.name or ''}".strip()


def _counted(shown: Sequence[str], count: int) -> str:
    more = count - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _of_operators(
    fact: ApiKeyCreated | ApiKeyRevoked | LevelRaised | RecordSkipped | HomeChosen,
) -> str:
    match fact:
        case ApiKeyCreated():
            name = f" “{fact.name}”" if fact.name else ""
            return (
                f"API key {fact.key_prefix}…{name} of organization {fact.organization_id} was"
                f" created, with scope {fact.scope.value}."
            )
        case ApiKeyRevoked():
            return f"An API key of organization {fact.organization_id} was revoked."
        case LevelRaised():
            return f"The level was raised to {fact.level}."
        case RecordSkipped():
            where = f"{fact.topic}/{fact.partition}@{fact.position}"
            return f"The record {where} is skipped by every reader{because(fact.reason)}"
        case HomeChosen():
            where = f"at {fact.place}" if fact.traits else "nowhere"
            return f"The log is at home {where}, generation {fact.generation}{because(fact.why)}"
        case unreachable:
            assert_never(unreachable)
