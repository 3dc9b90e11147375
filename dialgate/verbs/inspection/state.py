"""`dialgate state`: a campaign as the API shows it, now or as it was. Writes and locks nothing.

With a store of the projector it costs what the campaign's own history costs; without one, with one
that is behind, or from an export, the campaign's partition is read once from its beginning.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import orjson
import typer

from campaigns.audit.masks import masked_campaign, masked_contact
from campaigns.domain.values.rows import UNREADABLE
from campaigns.http.campaign_json import Shape, campaign_shape
from campaigns.process.clock import SystemClock
from campaigns.process.printable_text import one_line
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from dialgate.settings import ProcessSettings
from dialgate.verbs.inspection.views_at_hand import views_at_hand
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    Reveal,
    Source,
    checked_settings,
    keyless,
    run_verb,
    source,
)

if TYPE_CHECKING:  # A process loads SQLAlchemy and the projector only where it uses them.
    from campaigns.personal.list_keys import ListKeys
    from projector.past.as_of import AsOf
    from projector.past.time_travel import Past
    from projector.store.database import Database
    from projector.store.present_store import PresentStore

_PAGE = 1_000  # Contacts in memory at once.
_COLUMNS = ("id", "phone_number", "status", "attempts", "last_outcome", "last_attempt_at")


def command(
    campaign_id: Annotated[int, typer.Argument(min=1, metavar="CAMPAIGN", help="Its id.")],
    contacts: Annotated[bool, typer.Option("--contacts", help="Print its contacts, too.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="As it was at this instant, such as 2026-03-02T12:00:00Z, or at this position,"
            " such as 0@812."
        ),
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Print a campaign as the API shows it, now or as it was."""
    settings = checked_settings()
    asked = StateQuery(campaign_id, as_of, contacts, as_json, reveal)
    run_verb(state(settings, asked, exported=exported))


class StateQuery(NamedTuple):
    """What is to be printed."""

    campaign_id: int
    as_of: str | None = None  # None: now.
    contacts: bool = False
    as_json: bool = False
    reveal: bool = False  # Show personal data.


class FoundState(NamedTuple):
    """A campaign, and what opens the store of its contacts and that of the rows of its lists."""

    past: "Past"
    stores: "Callable[[], AbstractAsyncContextManager[tuple[Database, Database]]]"
    list_keys: "ListKeys | None"
    keyless: str | None  # Why there are no keys.


async def state(
    settings: ProcessSettings, asked: StateQuery, *, exported: Path | None = None
) -> None:
    """Print the campaign.

    Raises:
        MisusedError: there is no such campaign, or no such point.
        ContractError: this build does not know an accepted fact.
        LogUnavailableError: the log cannot be reached.

    """
    from projector.past.as_of import AsOf, AsOfError, parsed, position_in, refuse_future

    async with source(settings, exported) as read:
        partition = campaign_partition(asked.campaign_id, read.log.partitions(CAMPAIGN_RECORDS))
        end = (await read.log.ends([partition]))[partition]
        try:
            point = AsOf(place=(partition.number, end))
            if asked.as_of is not None:
                point = parsed(asked.as_of)
            refuse_future(point, SystemClock().now())
            position = position_in(point, partition.number, end)
            wanted = end if position is None else position
            known = end if asked.contacts else wanted  # Who was forgotten since is not shown.
            store = None if exported else await views_at_hand(settings, read, partition, known)
            async with _found(asked.campaign_id, read, point, wanted, store) as found:
                at = found.past.position if position is None else position
                await _show(found, asked, f"{partition.number}@{at}")
        except AsOfError as exc:
            if asked.as_of is None:
                raise MisusedError(f"the log has no campaign {asked.campaign_id}") from exc
            raise MisusedError(f"--as-of: {exc}") from exc


@asynccontextmanager
async def _found(
    campaign_id: int, read: Source, point: "AsOf", end: int, store: "PresentStore | None"
) -> AsyncIterator[FoundState]:
    if store is None:
        from projector.past.partition_scan import PartitionScan

        with progress("records", end) as step:
            scan = PartitionScan(read.log, read.installation, campaign_id, step)
            past = await scan.past(point, end)

        @asynccontextmanager
        async def scanned() -> "AsyncIterator[tuple[Database, Database]]":
            async with scan.contacts() as made:
                yield made, made

        yield FoundState(past, scanned, read.log.list_keys, keyless(read))
        return
    from projector.past.time_travel import TimeTravel

    travel = TimeTravel(store, read.log)

    @asynccontextmanager
    async def indexed() -> "AsyncIterator[tuple[Database, Database]]":
        async with travel.contacts(past) as made:
            yield made, store

    try:
        past = await travel.past(campaign_id, point, end)
        yield FoundState(past, indexed, read.log.list_keys, keyless(read))
    finally:
        travel.close()
        store.disconnect()


async def _show(found: FoundState, asked: StateQuery, at: str) -> None:
    campaign = found.past.campaign
    if campaign.deleted:
        raise MisusedError(
            f"campaign {asked.campaign_id} is deleted at {at}: --as-of shows it as it was before"
        )
    shape = {"as_of": at, **_hidden(masked_campaign, campaign_shape(campaign), asked)}
    if not asked.contacts:
        say(orjson.dumps(shape).decode() if asked.as_json else _text(shape))
        return
    async with found.stores() as stores:
        whys = dict[str, None]()  # In their order.
        pages = _pages(found, *stores, whys)
        say(orjson.dumps(shape).decode()[:-1] + ',"contacts":[' if asked.as_json else _text(shape))
        for n, whole in enumerate(pages):
            page = [_hidden(masked_contact, one, asked) for one in whole]
            if asked.as_json:
                lines = ",\n".join(orjson.dumps(one).decode() for one in page)
                say(f",{lines}" if n else lines)
            else:
                say("\n".join(map(_row, page)))
            await asyncio.sleep(0)
        if asked.as_json:
            say("]}")
    for why in whys:
        complain(f"dialgate: some contacts are {UNREADABLE}: {why}")


def _pages(
    of: FoundState, contacts: "Database", lists: "Database", whys: dict[str, None]
) -> Iterator[list[Shape]]:
    """Yield all contacts as the API shows them, some at a time. `whys`: why some are unreadable."""
    from projector.queries import contact_pages
    from projector.queries.page import Page
    from projector.queries.shapes import contact_shape

    def unread(why: str) -> None:
        whys[why if of.keyless is None else of.keyless] = None

    past, skip, total = of.past, 0, 1
    while skip < total:
        page = Page(skip // _PAGE + 1, _PAGE, skip, _PAGE)
        with contacts.reading() as tx, lists.reading() as rows:
            found, total = contact_pages.contacts(
                tx, past.campaign, None, page, rows, of.list_keys, unread
            )
            shapes = [contact_shape(past.campaign, *one) for one in found]
        if shapes:
            yield shapes
        skip += _PAGE


def _hidden(mask: Callable[[Shape], Shape], whole: Shape, asked: StateQuery) -> Shape:
    return whole if asked.reveal else mask(whole)


def _text(shape: Shape) -> str:
    """Return one line a field: texts and numbers as they are, the rest as JSON."""
    width = max(map(len, shape))
    return "\n".join(f"{name:<{width}}  {_value(value)}" for name, value in shape.items())


def _row(contact: Shape) -> str:
    return "  ".join(_value(contact[name]) for name in _COLUMNS)


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str | int | float):
        return one_line(value)
    return orjson.dumps(value).decode()
