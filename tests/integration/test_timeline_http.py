"""GET of a campaign's timeline: what the verb tells, in pages, to those who may read it."""

from typing import Any

import pytest

from campaigns.domain.facts import Disposition
from projector.queries import lifecycle_routes
from tests.integration.test_sockets import call
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

CONTACTS = [{"phone_number": f"+1415555{n:04}", "name": "Ada"} for n in range(1, 5)]


async def told(api: Whole) -> int:
    """Make a campaign that is paused and resumed between two calls; return its id."""
    campaign_id = await api.create(contacts=CONTACTS)
    one = f"{CAMPAIGNS}/{campaign_id}"
    assert (await api.client.post(f"{one}/start")).status_code == 200
    await call(api, campaign_id, 1, Disposition.ANSWERED)
    assert (await api.client.post(f"{one}/pause", json={"reason": "lunch"})).status_code == 200
    assert (await api.client.post(f"{one}/resume")).status_code == 200
    await call(api, campaign_id, 2, Disposition.BUSY)
    assert (await api.client.post(f"{one}/stop")).status_code == 200
    return campaign_id


async def page(api: Whole, campaign_id: int, **asked: Any) -> Any:  # Any: JSON.
    answer = await api.client.get(f"{CAMPAIGNS}/{campaign_id}/timeline", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_tells_who_did_what_and_why_and_what_a_pause_rested_on() -> None:
    async with whole_api() as api:
        found = await page(api, await told(api))
    assert found["next"] is None
    items = found["items"]
    assert [item["what"] for item in items] == [
        "campaign-created.v1", "campaign-started.v1", "calls", "campaign-paused.v1",
        "campaign-resumed.v1", "calls", "campaign-stopped.v1",
    ]  # fmt: skip
    assert items[3]["actor"].startswith("organization/1 key ")
    assert items[3]["text"].startswith("Paused: lunch. Settled at ")
    assert items[3]["receipt"]["guarantee"] == "strict"
    assert items[3]["receipt"]["position"] == items[3]["position"]
    assert items[2]["calls"]["ended"] == {"answered": 1}
    assert "555" not in str(items)
    assert "Ada" not in str(items)


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_are_the_whole_story_cut_anywhere(limit: int) -> None:
    async with whole_api() as api:
        campaign_id = await told(api)
        whole = (await page(api, campaign_id))["items"]
        items, after = list[Any](), dict[str, str]()
        while True:
            found = await page(api, campaign_id, limit=limit, **after)
            assert len(found["items"]) <= limit
            items += found["items"]
            if found["next"] is None:
                break
            after = {"after": found["next"]}
    assert items == whole


async def test_a_page_that_has_read_much_ends_early_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A minute of many calls is told in parts, so that no request reads without end."""
    async with whole_api() as api:
        campaign_id = await told(api)
        whole = (await page(api, campaign_id))["items"]
        monkeypatch.setattr(lifecycle_routes, "RECORDS_MAX", 1)
        monkeypatch.setattr(lifecycle_routes, "_STRETCH", 1)
        items, after, pages = list[Any](), dict[str, str](), 0
        while True:
            found = await page(api, campaign_id, **after)
            items, pages = items + found["items"], pages + 1
            if found["next"] is None:
                break
            after = {"after": found["next"]}
    assert pages > len(whole)
    told_of = [item for item in items if item["what"] != "calls"]
    assert told_of == [item for item in whole if item["what"] != "calls"]
    assert sum(item["calls"]["permitted"] for item in items if "calls" in item) == 2


@pytest.mark.parametrize("after", ["0@999999", "7@1", "0@0", "noon", "2026-03-01T12:00:00Z", ""])
async def test_a_cursor_that_is_none_is_named(after: str) -> None:
    async with whole_api() as api:
        campaign_id = await told(api)
        answer = await api.client.get(
            f"{CAMPAIGNS}/{campaign_id}/timeline", params={"after": after}
        )
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", "after"]


async def test_a_page_leaves_what_is_kept_for_others_as_it_was() -> None:
    """The state as of a cursor is kept for the next reader; a story folds into its own copy."""
    async with whole_api() as api:
        campaign_id = await told(api)
        first = (await page(api, campaign_id))["items"][0]["position"]
        once = await page(api, campaign_id, after=first)
        assert await page(api, campaign_id, after=first) == once
        past = await api.client.get(f"{CAMPAIGNS}/{campaign_id}", params={"as_of": first})
        assert past.json()["status"] == "draft"
