"""Opens contacts' rows as ROWS has them: JSON, or the id of a list's key, and ciphertext.

Each row tells by itself how it is read, so that a list need not be known before its rows. Rows are
opened only for an answer. Source: ADR-0041.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from campaigns.domain.values.rows import UNREADABLE, Row
from campaigns.personal.key_presence import tree_of
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.row_cipher import AlteredRowError
from campaigns.personal.row_cipher import opened as opened_by
from campaigns.personal.row_reader import rows_of
from campaigns.process.observability import limit_repetitions

logger = logging.getLogger(__name__)
limit_repetitions(logger)

NOT_READ = Row(phone_number=UNREADABLE)  # Shown for a contact that cannot be read.
Unread = Callable[[str], object]  # Told why contacts cannot be read.
_JSON = b"{"


def log_unread(why: str) -> None:
    """Note why contacts are NOT_READ, for whoever looks at an answer that shows more than them."""
    logger.error("contacts cannot be read: %s", why)


def opened(
    keys: ListKeys | None, rows: Iterable[tuple[int, bytes]], unread: Unread = log_unread
) -> Iterator[tuple[int, Row | None]]:
    """Yield stored rows of one list, in order, as they were imported; None: it is forgotten.

    One that is not what was written is NOT_READ, and `unread` is told why: it hides no other one. A
    list's key is looked for once, however many rows lie between these.

    Raises:
        KeyUnavailableError: the list's key is missing.

    """
    trees = dict[str, KeyTree]()
    for _, run in groupby(enumerate(map(_parted, rows)), key=_in_a_row):
        several = [one for _, one in run]
        first, key_id, _ = several[0]
        texts = [details for _, _, details in several]
        if key_id is None:
            found: Iterator[Row | None] = rows_of(None, None, first, texts)
        else:
            if key_id not in trees:
                trees[key_id] = tree_of(keys, key_id)
            found = _opened(trees[key_id], key_id, first, texts, unread)
        yield from zip(range(first, first + len(several)), found, strict=True)


def _opened(
    tree: KeyTree, key_id: str, first: int, texts: list[str], unread: Unread
) -> Iterator[Row | None]:
    done = 0
    while done < len(texts):
        try:
            for row in opened_by(tree, key_id, first + done, texts[done:]):
                yield row
                done += 1
        except AlteredRowError as exc:
            unread(str(exc))
            yield NOT_READ
            done += 1


def key_of(details: bytes) -> str | None:
    """Return the key of a stored row's list; None: it is plain."""
    return _parted((1, details))[1]


def _parted(one: tuple[int, bytes]) -> tuple[int, str | None, str]:
    row, details = one
    if details.startswith(_JSON):
        return row, None, details.decode()
    key_id, _, text = details.decode().partition(" ")
    return row, key_id, text


def _in_a_row(one: tuple[int, tuple[int, str | None, str]]) -> tuple[int, str | None]:
    n, (row, key_id, _) = one
    return row - n, key_id
