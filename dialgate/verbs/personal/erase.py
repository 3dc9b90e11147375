"""`dialgate erase`: makes people unreadable, in log, views, exports and backups (ADR-0041)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple

import orjson
import typer

from campaigns.domain.facts import ContactErased
from campaigns.log.installation_log import whole
from campaigns.log.port import EventLog
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import ContractError, LogUnavailableError, OperatingError
from campaigns.records.home import refuse_copy
from campaigns.records.installation import Installation
from dialgate.exit_codes import MISUSED, WENT_WRONG
from dialgate.logs import LOG_FILE, make_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.home.home_change import Yes, confirmed
from dialgate.verbs.personal.deletion import Deletion, Erasure
from dialgate.verbs.personal.whom import (
    Found,
    Whom,
    folded,
    refuse_unreadable,
    still_known,
    unsearched,
    whom_of,
)
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    AsJson,
    MisusedError,
    OfCampaign,
    Reveal,
    checked_settings,
    misused,
    run_verb,
)


def command(
    contact: Annotated[
        str | None, typer.Option(help="One contact: CAMPAIGN/CONTACT, such as 42/7.")
    ] = None,
    number: Annotated[
        str | None, typer.Option(help="All contacts with this phone number, such as +14155550123.")
    ] = None,
    campaign: OfCampaign = None,
    organization: Annotated[
        int | None, typer.Option(min=1, help="With --number: of this organization alone.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say who would be erased.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    reveal: Reveal = False,
) -> None:
    """Erase a contact, all contacts with a number, or those of a campaign. It cannot be undone.

    The log stays, and verifies: what is deleted are keys, without which nobody reads the contacts
    in log, views, exports and backups. Dialgate may run meanwhile; who is erased is never called.
    """
    settings = checked_settings()
    try:
        whom = whom_of(contact, number, campaign, organization)
    except MisusedError as exc:
        raise misused(exc) from exc
    how = How(dry_run=dry_run, yes=yes, as_json=as_json, reveal=reveal)
    run_verb(erase(settings, whom, how))


class How(NamedTuple):
    """What the operator wants to see and to be asked."""

    dry_run: bool = False
    yes: bool = False
    as_json: bool = False
    reveal: bool = False  # Show the number whole.


async def erase(settings: ProcessSettings, whom: Whom, how: How) -> int:
    """Record who is forgotten, delete the keys, and print it. Idempotent.

    Killed in between, the next process that folds the fact deletes the keys, and so does this verb
    when it is called again. Returns 1 where something was recorded, or may be, and not all is done;
    with `dry_run` 2 where not all lists could be searched: nothing was recorded.

    Raises:
        ReadOnlyError: the log is a copy, and takes no changes.
        MisusedError: nobody is so, it is not confirmed, they are plain, the log takes no such
            fact, or nobody was found and not all lists could be searched.
        KeyUnavailableError, LogUnavailableError, TooContendedError: nothing was recorded now.

    """
    async with _opened(settings) as (log, installation):
        keys = _keys(log, installation)
        await keys.store.refresh()
        partitions = await folded(log, installation, whom, keys)
        found = still_known(partitions, whom)
        refuse_unreadable(found, keys)
        name = whom.number if whom.number and how.reveal else str(whom)
        deletion, trouble = Deletion(log, installation, keys, partitions), None
        if not how.dry_run:
            if found.people:
                people = "1 contact" if found.people == 1 else f"{found.people:,} contacts"
                confirmed(
                    f"Erase {people} ({name})? Nobody will be able to read them again.", yes=how.yes
                )
            trouble = await _trouble(deletion, found, whom)
    left = unsearched(partitions, whom)
    if left and not found.people:
        raise MisusedError(left)
    _print(found, deletion.done, name, how)
    for why in (trouble, left):
        if why is not None:
            complain(f"dialgate: not all is done, and the same command goes on: {why}")
    if trouble is None and left is None:
        return 0
    return WENT_WRONG if deletion.done.begun else MISUSED


async def _trouble(deletion: Deletion, found: Found, whom: Whom) -> Exception | None:
    """Erase, and return what kept it from being done. Raises it where nothing is recorded."""
    try:
        await deletion.erase(found, whom)
        await deletion.forget_again()
    except (MisusedError, OperatingError, ContractError) as exc:
        if not deletion.done.begun:
            raise
        return exc
    return None


@asynccontextmanager
async def _opened(settings: ProcessSettings) -> AsyncIterator[tuple[EventLog, Installation]]:
    if not settings.kafka_servers and not (settings.data_dir / LOG_FILE).is_file():
        raise LogUnavailableError(f"expected a log in {settings.data_dir}, found none")
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        yield log, await whole(log)
    finally:
        await log.close()


def _keys(log: EventLog, installation: Installation) -> ListKeys:
    """Return the keys of a log that takes an erasure. Raises: MisusedError, ReadOnlyError."""
    refuse_copy(installation, log.place)
    if installation.level < ContactErased.SINCE:
        raise MisusedError(
            f"expected a log of level {ContactErased.SINCE}, found level {installation.level}: its"
            " contacts are plain; `dialgate upgrade` raises it for new ones"
        )
    if log.list_keys is None:
        raise MisusedError("this log has no store of keys: its contacts are plain")
    return log.list_keys


def _print(found: Found, done: Erasure, name: str, how: How) -> None:
    """Print what was recorded; with --dry-run what would be."""
    people = found.people if how.dry_run else done.people
    contacts = [str(one) for one in found.contacts] if how.dry_run else done.contacts
    if how.as_json:
        campaign = found.campaign
        through = campaign.through if campaign and how.dry_run else done.through
        shape = {
            "erased": done.people,
            "found": found.people,
            "dry_run": how.dry_run,
            "contacts": contacts if campaign is None else None,  # `through` says which.
            "campaign_id": campaign.campaign_id if campaign else None,
            "through": through,
        }
        say(orjson.dumps(shape).decode())
        return
    if not found.people:
        say(f"nothing to do: nobody is left to erase ({name})")
        return
    of = "" if people == found.people else f" of {found.people:,}"
    verb = "would be erased" if how.dry_run else "erased"
    many = "contact" if found.people == 1 else "contacts"
    say(f"{people:,}{of} {many} {verb} ({name})")
    for one in contacts:
        say(one)
