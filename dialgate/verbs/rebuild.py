"""`dialgate rebuild`: makes the projector's views anew, beside those in service; compares them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
import typer

from campaigns.log.installation_log import whole
from dialgate.exit_codes import DONE, WENT_WRONG
from dialgate.logs import make_log
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import AsJson, MisusedError, checked_settings, run_verb

if TYPE_CHECKING:
    from projector.rebuild import Rebuilt
    from projector.store.present_store import PresentStore
    from projector.store.replacement import Replacement


def command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only compare; delete the new views again.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept-differences", help="Take the new views, whatever differs.")
    ] = False,
    publish_again: Annotated[
        bool,
        typer.Option("--publish-again", help="Publish campaign.events again, from the beginning."),
    ] = False,
    show: Annotated[
        int, typer.Option(min=0, max=10_000, help="Differences that are printed.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Make the projector's views anew from the log, beside those in service, and compare them.

    The projector may run. It takes the new views into service, within seconds or at its next
    start, unless they differ: then nothing changes, and the exit code is 1.
    """
    settings = checked_settings()
    choice = Choice(dry_run, accept, publish_again)
    run_verb(rebuild_views(settings, choice, show=show, as_json=as_json))


class Choice(NamedTuple):
    """What is to become of the new views."""

    dry_run: bool
    accept: bool  # Whatever differs.
    publish_again: bool


async def rebuild_views(
    settings: ProcessSettings, choice: Choice, *, show: int, as_json: bool
) -> int:
    """Rebuild, print what differs, and keep the new views or delete them. Returns the exit code.

    Raises:
        MisusedError: there are no views to rebuild.
        PartRunningError: another process is rebuilding them.

    """
    from projector.rebuild import finish
    from projector.settings import ProjectorSettings
    from projector.store.present_store import PresentStore
    from projector.store.replacement import replacement_of

    secret = ProjectorSettings().database_url
    url = secret.get_secret_value() if secret else None
    replacement, serving = (
        replacement_of(url, settings.data_dir), PresentStore(url, settings.data_dir),
    )  # fmt: skip
    try:
        if replacement is None:
            raise MisusedError("DIALGATE_DATABASE_URL: expected PostgreSQL, or none at all")
        if not serving.exists:
            raise MisusedError("there are no views yet: the projector makes them when it starts")
        with replacement.held() as check:
            try:
                found = await _rebuilt(settings, choice, serving, replacement, show)
                check()
                if not choice.dry_run and (choice.accept or not found.differences):
                    finish(replacement, found)
            finally:
                if not replacement.ready:
                    replacement.discard()
    finally:
        serving.disconnect()
    for line in found.shown if not as_json else ():
        say(line)
    say(orjson.dumps(_shape(found)).decode() if as_json else _text(found))
    return WENT_WRONG if found.differences and not found.ready else DONE


async def _rebuilt(
    settings: ProcessSettings,
    choice: Choice,
    serving: "PresentStore",
    replacement: "Replacement",
    show: int,
) -> "Rebuilt":
    from projector.rebuild import partitions_of_views, rebuild

    log = make_log(settings, exclusive=False, read_only=True)
    try:
        await log.open()
        total = sum((await log.ends(partitions_of_views(log))).values())
        with progress("records folded", total) as told:
            return await rebuild(
                log,
                await whole(log),
                serving,
                replacement,
                shown_max=show,
                publish_again=choice.publish_again,
                told=told,
            )
    finally:
        await log.close()


def _shape(found: "Rebuilt") -> dict[str, Any]:  # Any: JSON.
    at = {str(partition): position for partition, position in sorted(found.positions.items())}
    return asdict(found) | {"positions": at}


def _text(found: "Rebuilt") -> str:
    at = ", ".join(f"{partition}@{position}" for partition, position in found.positions.items())
    what = f"{found.rows} rows compared at {at}: {found.differences} differ"
    if not found.compared:
        what = f"rebuilt to {at}; the views in service are of another build: not compared"
    if found.ready:
        return f"{what}. The projector takes the new views into service."
    return f"{what}. The views in service stay."
