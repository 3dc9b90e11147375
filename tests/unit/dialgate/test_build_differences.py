"""What is told of two builds that print other rows, tables or rulings."""

from collections.abc import AsyncIterator
from typing import Any

from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from dialgate.build_differences import Compared, Line, rulings, views


async def lines(*found: Line) -> AsyncIterator[Line]:
    for one in found:
        yield one


def head(**tables: list[str]) -> Line:
    return {"tables": tables}


def row(table: str, *key: int, **columns: Any) -> Line:  # Any: JSON.
    return {"table": table, "key": list(key), "row": columns}


async def compared(ours: list[Line], theirs: list[Line], shown_max: int = 9) -> Compared:
    return await views(lines(*ours), lines(*theirs), shown_max)


HEAD = head(contacts=["campaign_id", "state"], lists=["details"])


async def test_equal_rows_are_no_difference() -> None:
    rows = [
        HEAD,
        row("contacts", 1, 7, campaign_id=1, state={"a": 1}),
        row("lists", 3, details="x"),
    ]
    found = await compared(rows, rows)
    assert (found.compared, found.differences) == (2, 0)


async def test_fields_are_named_counted_and_grouped_by_campaign() -> None:
    ours = [row("contacts", 1, n, campaign_id=1, state={"a": n, "b": 0}) for n in range(3)]
    theirs = [row("contacts", 1, n, campaign_id=1, state={"a": 0, "b": 0}) for n in range(3)]
    found = await compared([HEAD, *ours], [HEAD, *theirs], shown_max=1)
    assert found.differences == 2
    assert found.by_field == {"contacts.state.a": 2}
    assert found.by_campaign == {1: 2}
    assert found.shown == ["contacts 1/1: state.a 1 here, 0 there"]


async def test_rows_of_one_build_alone_are_told_wherever_they_are() -> None:
    rows = [row("contacts", 1, n, campaign_id=1, state={}) for n in range(4)]
    found = await compared([HEAD, rows[0], rows[2]], [HEAD, rows[1], rows[2], rows[3]])
    assert found.shown == [
        "contacts 1/0: only in this build",
        "contacts 1/1: only in the other build",
        "contacts 1/3: only in the other build",
    ]
    assert found.by_field == {"contacts": 3}


async def test_a_table_or_column_of_one_build_is_one_difference() -> None:
    other = head(contacts=["campaign_id", "state", "epoch"], imports=["state"])
    theirs = [row("contacts", 1, n, campaign_id=1, state={}, epoch=4) for n in range(3)]
    theirs += [row("imports", 1, n, state={}) for n in range(3)]
    ours = [row("contacts", 1, n, campaign_id=1, state={}) for n in range(3)]
    found = await compared([HEAD, *ours], [other, *theirs])
    assert found.shown == [
        "table imports: only in the other build",
        "table lists: only in this build",
        "column contacts.epoch: only in the other build",
    ]
    assert found.compared == 3


async def test_contacts_details_are_not_shown() -> None:
    found = await compared(
        [HEAD, row("lists", 1, details="a")], [HEAD, row("lists", 1, details="b")]
    )
    assert found.shown == ["lists 1: details differ"]


async def test_rulings_are_compared_up_to_where_the_log_ended() -> None:
    def ruled(*kinds: str) -> AsyncIterator[Line]:
        return lines(
            *({"at": f"campaign.records/0@{n}", "ruling": k} for n, k in enumerate(kinds, start=1))
        )

    ends = {Partition(CAMPAIGN_RECORDS, 0): 3}
    accepted = "accepted", "refused", "accepted"
    assert not (await rulings(ruled(*accepted), ruled(*accepted, "accepted"), ends, 9)).differences
    found = await rulings(ruled(*accepted), ruled("accepted", "accepted", "accepted"), ends, 9)
    assert found.shown == ["record campaign.records/0@2: refused here, accepted there"]
    assert (await rulings(ruled(*accepted), ruled("accepted"), ends, 9)).differences == 1
