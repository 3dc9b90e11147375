"""Which key of a campaign's contacts is missing: the same answer in the dialer, views and `why`."""

from collections.abc import Iterable

from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.personal.row_reader import there
from campaigns.secrets.master_key import sealer_of


def tree_of(keys: ListKeys | None, key_id: str) -> KeyTree:
    """Return what is left of a list's keys. Raises: KeyUnavailableError: they are missing."""
    return there(keys, key_id).tree(key_id)


def missing_key(keys: ListKeys | None, key_ids: Iterable[str]) -> str | None:
    """Return why the first of these lists that cannot be read cannot be. None: all can.

    One key of each master key is opened, the others need only be there: pages ask for many lists.
    """
    opened = set[str]()  # The names of master keys.
    for key_id in key_ids:
        try:
            wrapped = there(keys, key_id).store.find(key_id)
            if wrapped is None or sealer_of(wrapped) not in opened:
                tree_of(keys, key_id)
        except KeyUnavailableError as exc:
            return str(exc)
        if wrapped is not None:
            opened.add(sealer_of(wrapped))
    return None
