"""`dialgate secrets rotate`: seals all by the newest master key, so that older ones can go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from campaigns.log.installation_log import whole
from campaigns.process.errors import LogUnavailableError, OperatingError, PartRunningError
from campaigns.records.home import refuse_copy
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKey, MasterKeyError
from dialgate.exit_codes import WENT_WRONG
from dialgate.logs import LOG_FILE, lock_part, make_log, master_keys
from dialgate.part_names import COMMAND_API
from dialgate.settings import ProcessSettings
from dialgate.verbs.organization_change import OpenOrganizations
from dialgate.verbs.progress import progress
from dialgate.verbs.secrets.list_secrets import reseal_lists
from dialgate.verbs.secrets.tally import SealTally
from dialgate.verbs.secrets.webhook_secrets import reseal_webhooks
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import MisusedError

SOURCE = "dialgate secrets rotate"


async def rotate(settings: ProcessSettings, *, as_json: bool) -> int:
    """Seal all by the newest key, and say whether older keys are still needed.

    Idempotent; killed at any moment, the next run goes on. Returns the exit code: 1 where
    something is left, also because the log or the store of keys did not answer any more.

    Raises:
        MisusedError: there is no master key, or the embedded log is in use.
        ReadOnlyError: the log is a copy, and takes no changes.
        MasterKeyError: none of the keys opens any key of a list.
        LogUnavailableError: there is no log, or it does not answer: nothing was done.

    """
    place, told = master_keys(settings), [SealTally("webhooks' secrets")]
    newest = _newest(place)
    async with _opened(settings) as opened:
        refuse_copy(opened.installation, opened.log.place)
        if (keys := opened.log.list_keys) is not None:
            await keys.store.refresh()
            keys.sealing()
        try:
            with progress("secrets", 0) as moved:
                await reseal_webhooks(opened, place, told[0], moved)
                if keys is not None:
                    told.append(SealTally("keys of lists"))
                    await reseal_lists(keys, told[1], moved)
        except OperatingError as exc:
            if not any(one.done for one in told):
                raise
            told[-1].left.append(f"not all is done, and the same command goes on: {exc}")
    left = [sentence for one in told for sentence in one.left]
    if as_json:
        say(orjson.dumps(_shape(newest, told)).decode())
        return WENT_WRONG if left else 0
    for one in told:
        say(one.sentence())
    for sentence in left:
        complain(f"dialgate: {sentence}")
    if left:
        complain("dialgate: keep the older master keys: something is still sealed by them")
        return WENT_WRONG
    say(f"all is sealed by the master key {newest.name}: older ones are needed no more")
    return 0


def _shape(newest: MasterKey, told: list[SealTally]) -> dict[str, object]:
    kinds = {
        one.what: {"sealed_anew": one.done, "already": one.before, "left": one.left} for one in told
    }
    return {"master_key": newest.name, "secrets": kinds}


def _newest(place: KeyPlace) -> MasterKey:
    """Return the key that seals. None is made: what is sealed was sealed by another."""
    try:
        return next(place.newest_first())
    except StopIteration:
        raise MisusedError("expected a master key (DIALGATE_MASTER_KEY), found none") from None
    except MasterKeyError as exc:
        raise MisusedError(str(exc)) from exc


@asynccontextmanager
async def _opened(settings: ProcessSettings) -> AsyncIterator[OpenOrganizations]:
    """Open the log: on Kafka at any time, the embedded one only while nothing runs.

    Raises:
        MisusedError: the embedded log is in use.
        LogUnavailableError: there is no log, or it does not answer.

    """
    if not settings.kafka_servers:
        if not (settings.data_dir / LOG_FILE).is_file():
            raise LogUnavailableError(f"expected a log in {settings.data_dir}, found none")
        try:
            lock_part(settings, COMMAND_API)  # A running one does not see what others append.
        except PartRunningError as exc:
            raise MisusedError(f"{exc}: stop it first") from exc
    log = make_log(settings, exclusive=False)
    try:
        await log.open()
        yield OpenOrganizations(log, await whole(log), SOURCE)
    finally:
        await log.close()
