"""Wraps the lists' keys anew, by the newest master key. Who is forgotten stays so."""

from collections.abc import Callable

from campaigns.personal.list_keys import ListKeys
from campaigns.secrets.master_key import MasterKeyError
from dialgate.verbs.secrets.tally import SealTally


async def reseal_lists(keys: ListKeys, told: SealTally, moved: Callable[[int], None]) -> None:
    """Wrap each list's key by the newest master key. Idempotent; one key a time.

    `told` takes in what became of them; `moved` is called with how many more are done.

    Raises:
        LogUnavailableError: the keys cannot be read or written; those before are done.

    """
    await keys.store.refresh()
    for key_id in keys.store.key_ids():
        try:
            if await keys.reseal(key_id):
                told.done += 1
            else:
                told.before += 1
        except MasterKeyError as exc:
            told.left.append(str(exc))
        moved(1)
