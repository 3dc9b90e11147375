"""The auditor's check of lists of contacts: each counts, or is closed and dropped, once.

It reads ADR-0022 itself, over the log and the rows of every store; it trusts no fold of ours.
"""

from campaigns.domain.facts import (
    CampaignCreated,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ImportStarted,
    ListClosed,
)
from campaigns.domain.values.stream_names import import_stream
from projector.service import Projector
from projector.store.tables import LISTS, ROWS
from tests.simulation.answers import LIST_GIVEN_UP
from tests.simulation.auditor import Audit
from tests.simulation.history import Entry
from tests.simulation.web import Exchange

CREATE = CampaignCreated.TYPE
HELD = "select distinct l.import_id from rows r join lists l on l.list_id = r.list_id"


class Lists:
    """The lists of one world, as its log tells them."""

    def __init__(self, found: Audit) -> None:
        self._find, self._dangers = found.find, found.dangers
        self._writers: dict[str, str] = {}  # List → who wrote its first chunk.
        self._requests: dict[str, str] = {}  # List → in which request it came.
        self._dropped_at_s: dict[str, float] = {}  # Request → when its list was dropped.
        self._counted: set[str] = set()
        self._closed: dict[str, bool] = {}  # List → what its end says: whether it counts.
        self._under_way: set[str] = set()  # Announced: these end by a fact of the import.

    def take(self, entry: Entry) -> None:
        """Take one record in."""
        if not entry.accepted:
            self._refused(entry)
            return
        counts = {
            fact.import_id
            for fact in entry.facts
            if isinstance(fact, CampaignCreated | ImportCompleted) and fact.import_id is not None
        }
        for fact in entry.facts:
            match fact:
                case ContactsAdded(import_id=list_id) | ContactsEncrypted(import_id=list_id):
                    if list_id in self._closed:
                        self._find(7, f"list {list_id} was closed, and has another chunk")
                    self._writers.setdefault(list_id, entry.envelope.source)
                    self._requests.setdefault(list_id, entry.envelope.correlation_id)
                case ImportStarted():
                    self._under_way.add(fact.import_id)
                case ImportFailed():
                    self._under_way.discard(fact.import_id)
                case ListClosed():
                    self._close(fact, entry, counts)
        for list_id in counts:
            if self._closed.get(list_id) is False:
                self._find(7, f"list {list_id} was dropped, and counts since")
            self._counted.add(list_id)

    def _close(self, fact: ListClosed, entry: Entry, counts: set[str]) -> None:
        list_id = fact.import_id
        if list_id in self._closed:
            self._find(7, f"list {list_id} was closed twice")
        self._closed[list_id] = fact.counts
        if fact.counts and list_id not in counts:
            self._find(7, f"list {list_id} was closed as one that counts, and does not")
        if not fact.counts:
            if list_id in self._counted:
                self._find(7, f"list {list_id} counts, and was dropped")
            if request := self._requests.get(list_id):
                self._dropped_at_s.setdefault(request, entry.at_s)
            own = self._writers.get(list_id) == entry.envelope.source
            self._dangers[f"a list was closed by {'its writer' if own else 'another'}"] += 1

    def _refused(self, entry: Entry) -> None:
        dropped = {import_stream(one) for one, counts in self._closed.items() if not counts}
        late = dropped.intersection(entry.envelope.condition)
        if late and CREATE in entry.tags:
            self._dangers["a late create found its list closed"] += 1

    def answered(self, exchange: Exchange) -> None:
        """Judge the answer that a list was given up: it had been dropped by then."""
        at_s = self._dropped_at_s.get(exchange.id, float("inf"))
        if exchange.detail == LIST_GIVEN_UP and not at_s <= (exchange.answered_at_s or 0.0):
            self._find(6, f"{exchange.verb}: {exchange.detail}; it was not dropped by then")

    def judge(self, name: str, held: set[str]) -> None:
        """Return the import ids of lists that have rows in a store and never count."""
        for list_id in sorted(held - self._counted - self._under_way):
            self._find(7, f"{name} has rows of list {list_id}, which never counts")


def judge_lists(found: Audit) -> None:
    """Find lists that count and were dropped, and rows of those that never count."""
    lists = Lists(found)
    for entry in found.entries:
        lists.take(entry)
    for exchange in found.world.exchanges:
        lists.answered(exchange)
    for name, part in found.world.parts_at_the_end.items():
        if isinstance(part, Projector):
            shown = part.store.dump((LISTS, ROWS))
            names = {row[0]: row[2] for row in shown[LISTS.name]}
            held = {names[row[0]] for row in shown[ROWS.name]}
        else:
            held = {list_id for (list_id,) in part.store.db.execute(HELD)}
        lists.judge(name, held)
