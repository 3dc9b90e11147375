"""The keys of all lists of one log: made ahead, found, and forgotten.

A key is durable before a row is written with it. Keys are wrapped by the master key, each bound to
its id. The store is asked at each question, so that what was forgotten anywhere is forgotten
everywhere; the few lists that were read last need not be unwrapped again. Source: ADR-0041.
"""

import asyncio
import hmac
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from secrets import token_urlsafe
from typing import NamedTuple

from campaigns.domain.values.rows import Row
from campaigns.personal.key_store import KeyStore
from campaigns.personal.key_tree import DamagedKeysError, KeyTree
from campaigns.personal.row_cipher import opened
from campaigns.process.errors import OperatingError
from campaigns.secrets.key_place import KNOB, KeyPlace
from campaigns.secrets.master_key import MasterKey, MasterKeyError

_MARK_BYTES = 16
_ID_BYTES = 16
_ALL_NAMED = "dialgate import --encrypt"  # Stands among the keys once `named` makes no more.
OPEN_MAX = 16  # Lists that stay unwrapped: a call that is placed needs one row of one.
AHEAD = 64  # Keys made at once: so many lists wait for no other store than the log.


class KeyUnavailableError(OperatingError):
    """A list's key is not where it should be, or cannot be read: nobody was forgotten."""


class Mark(NamedTuple):
    """How phone numbers are recognized. Marks of another name are of no use."""

    name: str
    of: Callable[[str], str]


PLAIN = Mark("plain", str)  # Where rows are plain, too.


class ListKey(NamedTuple):
    """The key of a list that is about to be written."""

    key_id: str
    tree: KeyTree


class ListKeys:
    """Makes, finds and forgets the keys of one log's lists."""

    def __init__(self, store: KeyStore, place: KeyPlace) -> None:
        self.store, self._place = store, place
        self._ahead: deque[ListKey] = deque()
        self._open = dict[str, tuple[str, KeyTree]]()  # By id, as they are wrapped; newest last.
        self._making: asyncio.Task[None] | None = None

    async def take(self) -> ListKey:
        """Return the key of a new list, to be used once.

        Raises:
            MasterKeyError: there is no master key to wrap it.
            KeyUnavailableError: whether there are keys of others cannot be read.
            LogUnavailableError: it could not be made durable.

        """
        while not self._ahead:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make())
            await asyncio.shield(self._making)
        return self._ahead.popleft()

    async def named(self, key_ids: Collection[str]) -> Mapping[str, KeyTree]:
        """Return the keys of these names. Until `all_named`, those that are missing are made.

        Durable, and repeatable. After that, whatever is missing was deleted, so it is left out.

        Raises:
            MasterKeyError: there is no master key to wrap them.
            KeyUnavailableError: one that is there cannot be opened.
            LogUnavailableError: they could not be made durable.

        """
        await self.store.refresh()
        master = self.sealing()
        if self.store.find(_ALL_NAMED) is None:
            new = [one for one in key_ids if self.store.find(one) is None]
            await self.store.add(_new(new, master))
        return {one: self.tree(one) for one in key_ids if self.store.find(one) is not None}

    async def all_named(self) -> None:
        """Keep a mark that `named` makes no key any more: from now on one may be deleted.

        Durable, and repeatable. Raises: MasterKeyError, LogUnavailableError.
        """
        await self.store.refresh()
        if self.store.find(_ALL_NAMED) is None:
            await self.store.add(_new([_ALL_NAMED], self.sealing()))

    async def _make(self) -> None:
        master = self.sealing()
        new = [ListKey(token_urlsafe(_ID_BYTES), KeyTree.new()) for _ in range(AHEAD)]
        await self.store.add(
            {key_id: master.seal(tree.dump(), _about(key_id)) for key_id, tree in new}
        )
        self._ahead.extend(new)

    def sealing(self) -> MasterKey:
        """Return the newest master key. None is made or begun where another has wrapped all keys.

        Raises:
            MasterKeyError: there is no master key, or it opens none of the keys that there are.
            KeyUnavailableError: whether there are keys cannot be read.

        """
        wrapped, names = self.store.sealers(), self._place.names()
        if wrapped and not wrapped.keys() & set(names):
            found = " and ".join(names) or "none, and made none"
            raise MasterKeyError(
                f"expected the master key {' or '.join(wrapped)} that wraps"
                f" {sum(wrapped.values())} keys of contacts ({self._place.file or KNOB}), found"
                f" {found}: restore it, or if it is lost for ever, remove the keys too, which"
                " nobody can read"
            )
        return self._place.sealing()

    def troubles(self) -> Sequence[str]:
        """Return why contacts cannot be read: a master key wraps their keys that we do not have.

        By the keys' names alone.
        """
        try:
            wrapped = self.store.sealers()
            names = self._place.names() if wrapped else ()
        except (MasterKeyError, KeyUnavailableError) as exc:
            return [str(exc)]
        return [
            f"{count} keys of contacts: expected the master key {name}, found"
            f" {' and '.join(names) or 'none'}: their contacts are neither read nor called"
            for name, count in wrapped.items()
            if name not in names
        ]

    def mark(self) -> Mark:
        """Return how numbers are recognized: by HMAC-SHA-256, keyed by the master key.

        Raises:
            MasterKeyError: there is no master key, or it opens none of the keys that there are.

        """
        try:
            master = self.sealing()
        except KeyUnavailableError:  # Nothing is sealed now: whoever seals asks once more.
            master = self._place.sealing()
        key = hmac.digest(master.key, b"dialgate phone numbers", "sha256")
        return Mark(
            master.name,
            lambda phone: hmac.digest(key, phone.encode(), "sha256")[:_MARK_BYTES].hex(),
        )

    def tree(self, key_id: str) -> KeyTree:
        """Return what is left of a list's keys.

        Raises:
            KeyUnavailableError: it is not there, or no master key opens it.

        """
        wrapped, found = self.store.find(key_id), self._open.pop(key_id, None)
        if wrapped is None:
            raise KeyUnavailableError(f"the key {key_id} of a list of contacts is missing")
        if found is None or found[0] != wrapped:  # It was not asked for, or rows were forgotten.
            found = wrapped, self._opened(key_id, wrapped)
        self._open[key_id] = found
        for oldest in list(self._open)[:-OPEN_MAX]:  # A copy: queries read from threads.
            self._open.pop(oldest, None)
        return found[1]

    def _opened(self, key_id: str, wrapped: str) -> KeyTree:
        try:
            return KeyTree.load(self._place.open(wrapped, _about(key_id)))
        except (MasterKeyError, DamagedKeysError) as exc:
            raise KeyUnavailableError(str(exc)) from exc

    def rows(self, key_id: str, first: int, details: Sequence[str]) -> Iterator[Row | None]:
        """Yield consecutive rows of a list; None for each that was forgotten.

        Raises: see `tree`.
        """
        return opened(self.tree(key_id), key_id, first, details)

    async def forget(self, key_id: str, rows: Collection[int] | None = None) -> bool:
        """Forget some rows of a list, or all; say whether any of them was still known.

        Durable, and repeatable. Raises: LogUnavailableError, KeyUnavailableError.
        """
        known = False

        def without(wrapped: str | None) -> str | None:
            nonlocal known
            if wrapped is None or rows is None:
                known |= wrapped is not None
                return None
            left = tree = self._opened(key_id, wrapped)
            for row in rows:
                left = left.without(row)
            if left is tree:
                return wrapped
            known = True
            return self._place.sealing().seal(left.dump(), _about(key_id))

        await self.store.change(key_id, without)
        return known

    async def reseal(self, key_id: str) -> bool:
        """Wrap a key by the newest master key; say whether another one had wrapped it.

        Durable, and repeatable. What is forgotten meanwhile stays so.

        Raises:
            MasterKeyError: no master key opens it, or there is none. It stays as it is.
            LogUnavailableError: it may or may not be done.

        """
        newest, anew = self._place.sealing(), False

        def wrapped_anew(wrapped: str | None) -> str | None:
            nonlocal anew
            if wrapped is None or newest.sealed(wrapped):
                return wrapped
            anew = True
            return newest.seal(self._place.open(wrapped, _about(key_id)), _about(key_id))

        found = self.store.find(key_id)
        if found is not None and not newest.sealed(found):
            await self.store.change(key_id, wrapped_anew)
        return anew


def _new(key_ids: Sequence[str], master: MasterKey) -> Mapping[str, str]:
    """Return new keys of these names, wrapped."""
    return {one: master.seal(KeyTree.new().dump(), _about(one)) for one in key_ids}


def _about(key_id: str) -> str:
    return f"key {key_id}"
