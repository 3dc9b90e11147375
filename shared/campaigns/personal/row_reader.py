"""Rows of contacts as they were imported, from what a store holds of them: encrypted or plain."""

from collections.abc import Iterator, Sequence

from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.personal.row_cipher import StoredRow, opened_row, plain


def row_of(keys: ListKeys | None, stored: StoredRow) -> Row | None:
    """Return a row as it was imported; None if it was forgotten.

    Raises:
        KeyUnavailableError: the list's key is missing; nobody was forgotten.

    """
    if stored.key_id is None:
        return plain(stored)
    tree = there(keys, stored.key_id).tree(stored.key_id)
    return opened_row(tree, stored.key_id, stored.number, stored.details)


def rows_of(
    keys: ListKeys | None, key_id: str | None, first: int, details: Sequence[str]
) -> Iterator[Row | None]:
    """Yield consecutive rows of a list, encrypted or plain; None for each that was forgotten.

    Raises:
        KeyUnavailableError: the list's key is missing; nobody was forgotten.

    """
    if key_id is None:
        return (plain(StoredRow(None, number, one)) for number, one in enumerate(details, first))
    return there(keys, key_id).rows(key_id, first, details)


def there(keys: ListKeys | None, key_id: str) -> ListKeys:
    """Return the keys. Raises: KeyUnavailableError: there are none."""
    if keys is None:
        raise KeyUnavailableError(f"the key {key_id} of a list of contacts is missing")
    return keys
