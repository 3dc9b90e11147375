"""Opens contacts' rows as ROWS has them: JSON, or the id of a list's key, and ciphertext.

Each row tells by itself how it is read, so that a list need not be known before its rows. Rows are
opened only for an answer. Source: ADR-0041.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from campaigns.domain.values.rows import Row
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_reader import rows_of

_JSON = b"{"


def opened(
    keys: ListKeys | None, rows: Iterable[tuple[int, bytes]]
) -> Iterator[tuple[int, Row | None]]:
    """Yield stored rows of one list, in order, as they were imported; None: it is forgotten.

    Raises:
        KeyUnavailableError: the list's key is missing.

    """
    for _, run in groupby(enumerate(map(_parted, rows)), key=_in_a_row):
        several = [one for _, one in run]
        first, key_id, _ = several[0]
        found = rows_of(keys, key_id, first, [details for _, _, details in several])
        yield from zip(range(first, first + len(several)), found, strict=True)


def check_readable(keys: ListKeys | None, details: bytes) -> None:
    """Check that the key of a stored row is there. Raises: KeyUnavailableError: it is not."""
    _, key_id, _ = _parted((1, details))
    if key_id is not None and keys is None:
        rows_of(keys, key_id, 1, ())
    elif key_id is not None and keys is not None:
        keys.tree(key_id)


def _parted(one: tuple[int, bytes]) -> tuple[int, str | None, str]:
    row, details = one
    if details.startswith(_JSON):
        return row, None, details.decode()
    key_id, _, text = details.decode().partition(" ")
    return row, key_id, text


def _in_a_row(one: tuple[int, tuple[int, str | None, str]]) -> tuple[int, str | None]:
    n, (row, key_id, _) = one
    return row - n, key_id
