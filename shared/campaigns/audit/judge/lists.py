"""The lists of contacts of a log, and whether each ends as ADR-0022 says. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from campaigns.audit.judge.violations import Kind, RecordPlace, Report
from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    ImportCompleted,
    ImportStarted,
    ListClosed,
    ListRows,
)


class _Counted(NamedTuple):
    """A list that a fact counts."""

    campaign_id: int
    rows: int


class _Open(NamedTuple):
    """A list that has not ended."""

    rows: int
    at: RecordPlace | None  # Of its last chunk. None: it is of a level that closes no lists.


class Lists:
    """Import id → rows so far, or how it ended: some 100 bytes a list."""

    def __init__(self, report: Report) -> None:
        """Begin without a list."""
        self._report = report
        self._open: dict[str, _Open] = {}
        self._counts: dict[str, bool] = {}  # Of those that have ended.
        self._announced = set[str]()  # Of imports: these end by a fact of the import.

    def take(self, facts: tuple[AnyFact, ...], *, must_end: bool) -> None:
        """Take the facts of one accepted record. `must_end`: its level closes every list."""
        counted = dict(_counted(facts))
        for fact in facts:
            if isinstance(fact, ImportStarted):
                self._announced.add(fact.import_id)
            elif isinstance(fact, ListRows):
                self._chunk(fact, self._report.at if must_end else None)
            elif isinstance(fact, ListClosed):
                self._close(fact, counted)
        for list_id, (campaign_id, rows) in counted.items():
            found = self._open.pop(list_id, None)
            if self._counts.get(list_id) is False:
                dropped = f"list {list_id} counts, and was dropped"
                self._report.of_campaign(Kind.LIST_DROPPED_AND_COUNTED, dropped, campaign_id)
            elif (there := found.rows if found else 0) < rows:
                missing = f"list {list_id} counts with {rows} rows, the log has {there}"
                self._report.of_campaign(Kind.LIST_ROWS_MISSING, missing, campaign_id)
            self._counts[list_id] = True

    def _chunk(self, fact: ListRows, at: RecordPlace | None) -> None:
        if fact.import_id in self._counts:
            more = f"list {fact.import_id} had ended, and has another chunk"
            self._report.of_campaign(Kind.LIST_AFTER_ITS_END, more, None)
            return
        last = fact.first_row + len(fact.rows) - 1
        before = self._open.get(fact.import_id)
        self._open[fact.import_id] = _Open(max(before.rows if before else 0, last), at)

    def _close(self, fact: ListClosed, counted: dict[str, _Counted]) -> None:
        list_id = fact.import_id
        if list_id in self._counts:
            again = f"list {list_id} had ended, and was closed again"
            self._report.of_campaign(Kind.LIST_AFTER_ITS_END, again, None)
        elif fact.counts and list_id not in counted:
            never = f"list {list_id} was closed as one that counts, and nothing counts it"
            self._report.of_campaign(Kind.LIST_ROWS_MISSING, never, None)
        if not fact.counts:
            self._counts[list_id] = False
            self._open.pop(list_id, None)

    @property
    def open(self) -> dict[str, RecordPlace]:
        """Return the lists that should have ended, with the place of their last chunk."""
        return {
            list_id: found.at
            for list_id, found in self._open.items()
            if found.at and list_id not in self._announced
        }


def _counted(facts: tuple[AnyFact, ...]) -> Iterator[tuple[str, _Counted]]:
    for fact in facts:
        if isinstance(fact, CampaignCreated | ImportCompleted) and fact.import_id is not None:
            yield fact.import_id, _Counted(fact.campaign_id, fact.rows)
