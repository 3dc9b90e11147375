"""Old lists of plain contacts, written anew with keys that can be deleted, while a log is imported.

What is written is the same each time it is asked for, so that it can be compared, and an import
that was interrupted goes on: a list's key is found again by its name, and a row's nonce follows
from key and row. Pure but for the keys, which are made by a function that is given. ADR-0041.
"""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from campaigns.audit.transfer.export_log import ExportLog
from campaigns.domain.facts import AnyFact, ContactsAdded, ContactsEncrypted
from campaigns.domain.levels import needed
from campaigns.domain.values.stream_names import import_stream
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.row_cipher import contacts_encrypted, repeatably_encrypted
from campaigns.process.errors import TopicMisfitError
from campaigns.records.installation import Installation, raise_level
from campaigns.records.log_entry import Recorded
from campaigns.records.offer import offer
from campaigns.records.record import RECORD_BYTES_MAX, Record

_NAME_BYTES = 16
Offered = dict[str, Any]  # Any: JSON, which the rule has accepted.
# From names to their keys, durable: made the first time, and without those that were deleted since.
MakeKeys = Callable[[Collection[str]], Awaitable[Mapping[str, KeyTree]]]


@dataclass
class Encryption:
    """Encrypts the plain lists of one export. Memory: some 300 bytes a list."""

    make_keys: MakeKeys
    keep_mark: Callable[[], Awaitable[None]]  # That no more are made.
    _lists: set[str] = field(default_factory=set)  # Plain ones.
    _trees: Mapping[str, KeyTree] = field(default_factory=dict)  # By the key's name.

    def fold(self, facts: Iterable[AnyFact]) -> None:
        """Take in the facts of the next accepted record."""
        self._lists |= {fact.import_id for fact in facts if isinstance(fact, ContactsAdded)}

    @property
    def lists(self) -> int:
        """Return how many lists are plain."""
        return len(self._lists)

    async def ready(self) -> None:
        """Make the keys durable, before the first record is written. Repeatable.

        Makes nothing where no list is plain.

        Raises:
            TopicMisfitError: somebody was forgotten by one of these keys, or a list as a whole.
            MasterKeyError, LogUnavailableError: they could not be made; some may be there.

        """
        if not self._lists:
            return
        self._trees = await self.make_keys([_name(one) for one in sorted(self._lists)])
        whole = sum(len(tree.nodes) == 1 for tree in self._trees.values())
        if whole < len(self._lists):
            raise TopicMisfitError(
                "expected keys of contacts that nobody was forgotten by, found those of an earlier"
                f" import of this log, {len(self._lists) - whole} of {len(self._lists)} lists with"
                " contacts that were forgotten or are newer: whoever was forgotten would come back;"
                " go on with the log of that import, or remove its keys and erase them once more"
            )

    async def done(self) -> None:
        """Note that all is written, before the log can start: then people may be forgotten by it.

        An import that was interrupted before is no earlier one: its export may be another.

        Raises:
            MasterKeyError, LogUnavailableError: it is not noted, or may not be.

        """
        if self._lists:
            await self.keep_mark()

    def rewritten(self, recorded: Recorded) -> Iterator[bytes]:
        """Yield an accepted record, its plain lists encrypted: in several records if it is long."""
        assert recorded.raw is not None, "an accepted record has bytes"
        facts = recorded.facts
        if not any(isinstance(fact, ContactsAdded) for fact in facts):
            yield recorded.raw
            return
        found: Any = orjson.loads(recorded.raw)  # Any: JSON.
        found["dialgate"] = max(found["dialgate"], ContactsEncrypted.SINCE)
        found["facts"] = [
            self._encrypted(fact) if isinstance(fact, ContactsAdded) else offered
            for fact, offered in zip(facts, found["facts"], strict=True)
        ]
        yield from _records(found)

    def _encrypted(self, fact: ContactsAdded) -> Offered:
        key_id = _name(fact.import_id)
        rows = repeatably_encrypted(self._trees[key_id], key_id, fact.first_row, fact.rows)
        chunk = contacts_encrypted(fact.import_id, fact.first_row, key_id, tuple(rows))
        return dict(offer(chunk, ContactsEncrypted.SINCE))


def level_record(export: ExportLog, installation: Installation) -> bytes | None:
    """Return the record that raises a log's level to that of encrypted contacts; None: it is so."""
    made_at = datetime.fromisoformat(export.manifest.made_at)
    raised = raise_level(installation, ContactsEncrypted.SINCE, made_at)
    if raised is None:
        return None
    record_id = _digest(f"level of {export.id}")
    return Record(
        record_id, made_at, "dialgate import", "operator", record_id, None,
        installation.condition(), (raised,), level=needed(raised),
    ).encode()  # fmt: skip


def _records(found: Offered) -> Iterator[bytes]:
    """Yield a record; where ciphertext made it too long, its chunks first, as in long lists."""
    if len(whole := orjson.dumps(found)) <= RECORD_BYTES_MAX:
        yield whole
        return
    condition, rest = dict(found["condition"]), list[Offered]()
    for n, offered in enumerate(found["facts"]):
        if offered["type"] != ContactsEncrypted.TYPE:
            rest.append(offered)
            continue
        stream = import_stream(offered["data"]["import_id"])
        chunk = {**found, "id": _digest(f"{found['id']} {n}"), "facts": [offered]}
        chunk.pop("idempotency", None)
        yield orjson.dumps(chunk | {"condition": {stream: condition[stream]}})
        condition[stream] += 1
    if rest:
        yield orjson.dumps({**found, "condition": condition, "facts": rest})


def _name(import_id: str) -> str:
    """Return the name of a list's key."""
    return urlsafe_b64encode(_hash(import_id)[:_NAME_BYTES]).decode().rstrip("=")


def _digest(text: str) -> str:
    return _hash(text)[:_NAME_BYTES].hex()


def _hash(text: str) -> bytes:
    return sha256(f"dialgate import --encrypt {text}".encode()).digest()
