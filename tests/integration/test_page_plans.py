"""No page of a list scans a table or sorts: each of its statements goes through an index."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from campaigns.domain.contact import ContactStatus
from campaigns.domain.moves import Status
from projector.advance import Views
from projector.queries.campaign_pages import CampaignFilter, campaign_of, campaigns
from projector.queries.contact_pages import contacts
from projector.queries.execution_pages import executions
from projector.queries.page import Page
from projector.store.view_store import ViewStore
from tests.support.journal import every_partition
from tests.support.many_contacts import multiply_contacts
from tests.support.many_executions import journal_of_one, multiply

PAGES = Page(1, 5, 0, 5), Page(101, 5, 500, 5)
EVERY = CampaignFilter(1, None, None, None, None)
Ask = Callable[[Connection, Page], object]


def _executions(status: str | None) -> Ask:
    return lambda tx, page: list(executions(tx, 1, status, page)[0])


def _contacts(status: ContactStatus | None) -> Ask:
    def ask(tx: Connection, page: Page) -> object:
        campaign = campaign_of(tx, 1)
        assert campaign is not None
        if status is ContactStatus.CANCELLED:  # They are shown of a stopped campaign.
            campaign.status, counters = Status.CANCELLED, campaign.counters
            campaign.counters = replace(counters, pending=0, cancelled=counters.pending)
        found = list(contacts(tx, campaign, status, page)[0])
        assert found or (page.skip and status is ContactStatus.IN_PROGRESS)
        return found

    return ask


def _campaigns(**filters: object) -> Ask:
    wanted = EVERY._replace(**filters)  # type: ignore[arg-type]
    return lambda tx, page: list(campaigns(tx, wanted, page)[0])


LISTS: dict[str, Ask] = {
    "campaigns": _campaigns(),
    "campaigns by status": _campaigns(status="running"),
    "campaigns by type": _campaigns(campaign_type="call"),
    "campaigns by assistant": _campaigns(assistant_id=3),
    "campaigns by search": _campaigns(search="a"),
    "executions": _executions(None),
    "contacts": _contacts(None),
    **{f"executions {one}": _executions(one) for one in ContactStatus},
    **{f"contacts {one}": _contacts(one) for one in ContactStatus},
}
# What each index is for: without it, the plan of this list is another one.
NEEDED = {
    "projector_campaigns_newest": "campaigns by status",
    "projector_executions_standing": "executions completed",
    "projector_tallies_ranks": "executions busy",
    "projector_contacts_standing": "contacts busy",
    "projector_lists_of": "contacts",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewStore]:
    store, journal = ViewStore(None, tmp_path_factory.mktemp("views")), journal_of_one()
    store.belongs_to(journal.log.id, publishes=False)
    views = Views(store, journal.log, False, lambda key: None)
    views.restore(every_partition(journal))
    (partition, *_) = every_partition(journal)
    views.reader.step(partition, journal.log._records[partition])
    multiply(store, executions=4_000, campaigns=1_000)
    multiply_contacts(store, touched=13_000, untouched=1_000)  # 541 of the rarest status.
    yield store
    store.close()


def bad_plans(tx: Connection, ask: Ask, without: str = "") -> list[str]:
    """Return the steps of a list's statements that read whole tables or rows in turn, or sort.

    `without`: a comment, since the driver would give the plan of an equal text again.
    """
    asked = list[tuple[str, Any]]()  # Any: as the driver takes them.

    def note(*found: Any) -> None:
        asked.append((found[2], found[3]))

    event.listen(tx.engine, "before_cursor_execute", note)
    for page in PAGES:
        ask(tx, page)
    event.remove(tx.engine, "before_cursor_execute", note)
    assert asked
    return [
        f"{step}, in: {statement}"
        for statement, values in asked
        for *_, step in tx.exec_driver_sql(
            f"explain query plan /* {without} */ {statement}", values
        )
        if _BAD.match(step) and not ("max(" in statement and step.startswith("SEARCH"))
    ]


# Rows, which hold states, are read one by one; only an index is walked. `json_each` is a list of
# ids, and the last number of a campaign is at the end of its rows.
_BAD = re.compile(
    r"SCAN (?!json_each)|USE TEMP B-TREE|.* AUTOMATIC"
    r"|SEARCH projector_(executions|contacts) USING PRIMARY KEY \((campaign_id=\?|.*[<>]\?)\)"
)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_of_a_list_neither_scans_nor_sorts(name: str, store: ViewStore) -> None:
    with store.reading() as tx:
        assert bad_plans(tx, LISTS[name]) == []


@pytest.mark.parametrize("index", NEEDED)
def test_each_index_is_needed(index: str, store: ViewStore) -> None:
    with store.engine.connect() as tx, tx.begin() as transaction:
        tx.exec_driver_sql(f"drop index {index}")
        assert bad_plans(tx, LISTS[NEEDED[index]], index) != []
        transaction.rollback()
