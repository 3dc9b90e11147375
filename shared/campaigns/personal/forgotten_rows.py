"""The rows that the log says are forgotten, and their keys, deleted wherever they still are.

Which rows are forgotten is decided by facts alone, so that a store of keys which knows better is
wrong: a backup that is older than an erasure brings nobody back. Source: ADR-0042.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from campaigns.domain.facts import CampaignErased, ContactErased
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys


@dataclass
class ErasedRows:
    """The rows of some facts, or of all in the log: `forget_again` may be given any of them."""

    by_key: dict[str, set[int] | None] = field(default_factory=dict)  # None: the whole list.

    def fold(self, fact: ContactErased | CampaignErased) -> None:
        """Take in one accepted fact."""
        if isinstance(fact, CampaignErased):
            self.by_key |= dict.fromkeys(fact.key_ids)
        elif (rows := self.by_key.setdefault(fact.key_id, set())) is not None:
            rows.add(fact.row)


async def forget_again(keys: ListKeys, erased: ErasedRows) -> Sequence[str]:
    """Delete the keys of these rows where they are still there; return the lists that had some.

    Idempotent, and commutative: whoever does it, how often and in which order, ends at the same
    keys. Lists of which nothing is left to forget cost a look and no write.

    Raises:
        LogUnavailableError: the store takes nothing now; do it again.
        KeyUnavailableError: some keys cannot be opened; all others are forgotten.

    """
    await keys.store.refresh()
    found, unreadable = list[str](), list[KeyUnavailableError]()
    for key_id, rows in erased.by_key.items():
        try:
            if _known(keys, key_id, rows) and await keys.forget(key_id, rows):
                found.append(key_id)
        except KeyUnavailableError as exc:
            unreadable.append(exc)
    if unreadable:
        raise unreadable[0]
    return found


def _known(keys: ListKeys, key_id: str, rows: Collection[int] | None) -> bool:
    if keys.store.find(key_id) is None:
        return False
    if rows is None:
        return True
    tree = keys.tree(key_id)
    return any(tree.key(row) is not None for row in rows)
