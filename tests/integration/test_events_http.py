"""Events over HTTP: pages, long polls and streams of one campaign and of an organization."""

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from campaigns.domain.facts import Disposition
from campaigns.log.port import MemoryLog
from campaigns.records.cloud_event import CloudEvent, events_of
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from projector.feeds import event_feed, event_stream, event_tail
from projector.settings import ProjectorSettings
from tests.integration.test_sockets import call, move, running
from tests.support.event_ear import EventEar, following
from tests.support.race import everything
from tests.support.whole_api import CAMPAIGNS, KEYS, Whole, whole_api

EVENTS = "/api/v1/events"


async def accepted(api: Whole, *campaign_ids: int) -> list[bytes]:
    """Return the events of campaigns as the log has them, by partition: all of it is accepted."""
    found = list[CloudEvent]()
    for number in range(api.log.partitions(CAMPAIGN_RECORDS)):
        for recorded in await everything(api.log, Partition(CAMPAIGN_RECORDS, number)):
            found += [one for one in events_of(recorded) if one.campaign_id in campaign_ids]
    return [one.body for one in found]


def in_order(events: Iterable[bytes]) -> dict[int, list[bytes]]:
    """Return events by their stream's campaign, in the order in which they came."""
    found: dict[int, list[bytes]] = {}
    for event in events:
        found.setdefault(orjson.loads(event)["data"]["campaign_id"], []).append(event)
    return found


async def page(api: Whole, url: str, **asked: Any) -> Any:  # Any: JSON.
    answer = await api.client.get(url, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def whole(api: Whole, url: str, **asked: Any) -> list[bytes]:
    """Return all events, page after page, as bytes."""
    found, after = list[bytes](), dict[str, str]()
    while True:
        answer = await api.client.get(url, params=asked | after)
        one = answer.json()
        found += map(orjson.dumps, one["events"])
        if not one["more"]:
            return found
        assert after != {"after": one["next"]}, "a page that says more goes on"
        after = {"after": one["next"]}


async def busy(api: Whole) -> tuple[int, int]:
    """Make two campaigns of organization 1, whose ids it returns, and one of organization 2."""
    first, second = await running(api), await running(api)
    theirs = await api.client.post(
        CAMPAIGNS,
        json={"name": "x", "assistant_id": 1, "campaign_type": "call"},
        headers={"Authorization": "Bearer two"},
    )
    assert theirs.status_code == 200
    await call(api, first, 1, Disposition.ANSWERED)
    await call(api, second, 1, Disposition.BUSY)
    await move(api, first, "pause")
    return first, second


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("partitions", [1, 3])
async def test_pages_are_all_accepted_facts_in_order_and_byte_for_byte(
    partitions: int, limit: int
) -> None:
    async with whole_api(MemoryLog(partitions)) as api:
        first, second = await busy(api)
        for one in (first, second):
            url = f"{CAMPAIGNS}/{one}/events"
            assert await whole(api, url, limit=limit) == await accepted(api, one)
        everything_ = await whole(api, EVENTS, limit=limit)
        assert sorted(everything_) == sorted(await accepted(api, first, second))
        for one in (first, second):
            own = await accepted(api, one)
            assert [event for event in everything_ if event in set(own)] == own


async def test_a_page_goes_on_from_any_cursor_and_ends_with_one() -> None:
    async with whole_api(MemoryLog(3)) as api:
        first, _ = await busy(api)
        url = f"{CAMPAIGNS}/{first}/events"
        own = await accepted(api, first)
        for n in range(len(own)):
            start = await page(api, url, limit=n + 1)
            rest = await page(api, url, after=start["next"])
            assert [orjson.dumps(one) for one in rest["events"]] == own[n + 1 :]
            again = await page(api, url, after=rest["next"])
            assert again == {"events": [], "next": rest["next"], "more": False}


async def test_after_now_there_is_only_what_comes() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        url = f"{CAMPAIGNS}/{campaign_id}/events"
        now = await page(api, url, after="now")
        assert now["events"] == []
        await move(api, campaign_id, "pause")
        (event,) = (await page(api, url, after=now["next"]))["events"]
        assert event["type"] == "campaign-paused.v1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("after", "0@812/0"), ("after", "x"), ("after", ""), ("after", "AQCsBgAL8KIEAhX2"),
        ("limit", "0"), ("limit", "1001"), ("wait_s", "31"), ("wait_s", "-1"),
        ("type", "campaign-pausd"), ("type", "api-key-created.v1"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_422_and_named(name: str, value: str) -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        for url in (EVENTS, f"{CAMPAIGNS}/{campaign_id}/events"):
            answer = await api.client.get(url, params={name: value})
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"][0]["loc"][-1] == name
            if name != "limit" and name != "wait_s":
                async with following(api.app, f"{url}?{name}={value}") as ear:
                    assert await ear.begun() == 422


async def test_a_type_is_asked_for_with_its_version_or_without() -> None:
    async with whole_api() as api:
        first, second = await busy(api)
        for name in ("campaign-started.v1", "campaign-started"):
            found = await page(api, EVENTS, type=[name, "campaign-paused.v1"])
            found = [(one["type"], one["data"]["campaign_id"]) for one in found["events"]]
            assert sorted(found) == [
                ("campaign-paused.v1", first),
                *(("campaign-started.v1", one) for one in sorted((first, second))),
            ]


async def test_a_rare_type_is_looked_for_a_stretch_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feed, "RECORDS_MAX", 2)
    async with whole_api() as api:
        await busy(api)
        start = await page(api, EVENTS, type="campaign-paused")
        assert (start["events"], start["more"]) == ([], True)
        (event,) = await whole(api, EVENTS, type="campaign-paused")
        assert orjson.loads(event)["type"] == "campaign-paused.v1"


async def test_a_page_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "PAGE_BYTES_MAX", 1_000)
    async with whole_api() as api:
        first, second = await busy(api)
        start = await page(api, EVENTS)
        assert (len(start["events"]), start["more"]) == (1, True)
        assert sorted(await whole(api, EVENTS)) == sorted(await accepted(api, first, second))


async def test_a_campaign_of_others_or_of_nobody_is_404() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        for number, key in ((campaign_id, "two"), (99, "one")):
            url = f"{CAMPAIGNS}/{number}/events"
            answer = await api.client.get(url, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 404
            async with following(api.app, url, key=key) as ear:
                assert await ear.begun() == 404
        theirs = await api.client.get(EVENTS, headers={"Authorization": "Bearer two"})
        assert theirs.json()["events"] == []


async def test_a_deleted_campaign_keeps_its_events_in_the_organizations_feed() -> None:
    async with whole_api() as api:
        campaign_id = await api.create()
        async with following(api.app, f"{CAMPAIGNS}/{campaign_id}/events") as ear:
            assert await ear.begun() == 200
            (created,) = await ear.events(1)
            assert (await api.client.delete(f"{CAMPAIGNS}/{campaign_id}")).status_code == 200
            assert [one.type for one in await ear.over()] == ["campaign-deleted.v1"]
        answer = await api.client.get(f"{CAMPAIGNS}/{campaign_id}/events")
        assert answer.status_code == 404
        found = await whole(api, EVENTS)
        assert found == await accepted(api, campaign_id)
        assert created.data == found[0]


async def test_a_long_poll_waits_for_an_event_that_is_wanted() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        url = f"{CAMPAIGNS}/{campaign_id}/events"
        now = (await page(api, url, after="now"))["next"]
        asked = {"after": now, "wait_s": 30, "type": "campaign-resumed"}
        waiting = [asyncio.ensure_future(page(api, url, **asked)) for _ in range(3)]
        while api.projector.events.tail.readers < 3:
            await asyncio.sleep(0)
        await move(api, campaign_id, "pause")
        assert not any(one.done() for one in waiting)
        await move(api, campaign_id, "resume")
        for one in await asyncio.gather(*waiting):
            assert [event["type"] for event in one["events"]] == ["campaign-resumed.v1"]
            assert await page(api, url, after=one["next"]) == {
                "events": [], "next": one["next"], "more": False,
            }  # fmt: skip
        assert api.projector.events.tail.readers == 0


async def test_a_long_poll_that_hears_nothing_moves_on_all_the_same() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        now = (await page(api, EVENTS, after="now"))["next"]
        asked = {"after": now, "wait_s": 1, "type": "campaign-resumed"}
        waiting = asyncio.ensure_future(page(api, EVENTS, **asked))
        while not api.projector.events.tail.readers:
            await asyncio.sleep(0)
        await move(api, campaign_id, "pause")
        found = await waiting
        assert (found["events"], found["more"]) == ([], False)
        assert found["next"] == (await page(api, EVENTS, after="now"))["next"] != now


async def test_a_stream_has_the_past_and_what_comes_and_resumes_at_any_event() -> None:
    async with whole_api(MemoryLog(3)) as api:
        first, second = await busy(api)
        for url, ids in ((f"{CAMPAIGNS}/{first}/events", (first,)), (EVENTS, (first, second))):
            async with following(api.app, url) as ear:
                assert await ear.begun() == 200
                assert ear.headers["content-type"].startswith("text/event-stream")
                assert "content-length" not in ear.headers
                heard = await ear.events(len(await accepted(api, *ids)))
                assert ear.blocks[0] == b"retry: 1000"
                await move(api, first, "resume")
                await move(api, first, "pause")
                heard += await ear.events(2)
            own = await accepted(api, *ids)
            assert sorted(one.data for one in heard) == sorted(own)
            assert all(one.type == orjson.loads(one.data)["type"] for one in heard)
            for n, one in enumerate(heard):
                ask = f"{url}?after=now"
                async with following(api.app, ask, last_event_id=one.cursor) as ear:
                    assert await ear.begun() == 200
                    rest = await ear.events(len(heard) - n - 1)
                # Of several partitions only the order within each is certain.
                assert in_order(e.data for e in rest) == in_order(e.data for e in heard[n + 1 :])
                paged = (await page(api, url, after=one.cursor))["events"]
                assert in_order(map(orjson.dumps, paged)) == in_order(e.data for e in rest)


async def test_a_stream_gives_a_sign_of_life_that_moves_its_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_tail, "SIGN_S", 0.01)
    monkeypatch.setattr(event_stream, "SILENT_S", 0.0)
    async with whole_api() as api:
        campaign_id = await running(api)
        asked = f"{EVENTS}?after=now&type=campaign-resumed"
        async with following(api.app, asked) as ear:
            assert await ear.begun() == 200
            assert await ear.block() == b"retry: 1000"
            first = await ear.block()
            assert first.startswith(b": alive\nid: ")
            await move(api, campaign_id, "pause")
            while (last := await ear.block()) == first:
                pass
            end = (await page(api, EVENTS, after="now"))["next"]
            assert last == b": alive\nid: " + end.encode()


def test_a_sign_of_life_comes_at_least_every_15_s() -> None:
    assert event_stream.SILENT_S + event_tail.SIGN_S < 15


async def test_a_reader_that_is_too_slow_is_closed_and_loses_nothing() -> None:
    settings = ProjectorSettings(api_keys=KEYS, feed_buffer=2)
    async with whole_api(settings=settings) as api:
        campaign_id = await running(api)
        url = f"{CAMPAIGNS}/{campaign_id}/events"
        async with following(api.app, url) as slow, following(api.app, url) as quick:
            assert await slow.begun() == await quick.begun() == 200
            heard, begun = await quick.events(2), await slow.events(2)
            for n in range(8):
                await move(api, campaign_id, "resume" if n % 2 else "pause")
                heard += await quick.events(1)
            begun += await slow.over()
        assert len(begun) < len(heard), "it was closed"
        async with following(api.app, url, last_event_id=begun[-1].cursor) as again:
            assert await again.begun() == 200
            begun += await again.events(len(heard) - len(begun))
        assert begun == heard


async def test_a_revoked_key_ends_its_streams_alone() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        made = await api.client.post("/api/v1/keys", json={"name": "x", "scope": "read"})
        assert made.status_code == 200, made.text
        key, key_id = made.json()["key"], made.json()["id"]
        url = f"{CAMPAIGNS}/{campaign_id}/events?after=now"
        async with following(api.app, url, key=key) as theirs, following(api.app, url) as mine:
            assert await theirs.begun() == await mine.begun() == 200
            await theirs.block()
            async with asyncio.timeout(8):  # Sooner than a sign of life would find out.
                assert (await api.client.delete(f"/api/v1/keys/{key_id}")).status_code == 200
                assert await theirs.over() == []
            await move(api, campaign_id, "pause")
            assert [one.type for one in await mine.events(1)] == ["campaign-paused.v1"]


async def test_streams_are_bounded_and_hold_no_place_among_requests() -> None:
    settings = ProjectorSettings(api_keys=KEYS, sockets_per_key_max=2, requests_per_key_max=1)
    async with whole_api(settings=settings) as api:

        async def opened(ear: EventEar) -> int:
            status = await ear.begun()
            if status == 200:
                await ear.block()  # It is served.
            return status

        async with following(api.app, EVENTS) as one, following(api.app, EVENTS) as two:
            assert await opened(one) == 200
            assert await opened(two) == 200
            async with following(api.app, EVENTS) as three:
                assert await opened(three) == 429
                assert three.headers["retry-after"] == "1"
            async with following(api.app, EVENTS, key="two") as theirs:
                assert await opened(theirs) == 200
            assert (await page(api, EVENTS))["events"] == []
        async with following(api.app, EVENTS) as again:
            assert await opened(again) == 200


async def test_a_server_that_stops_ends_its_streams() -> None:
    async with whole_api() as api, following(api.app, EVENTS) as ear:
        assert await ear.begun() == 200
        await ear.block()
        api.projector.leave()
        assert await ear.over() == []


async def test_an_event_is_written_once_for_all_who_follow_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = list[bytes]()

    def frame(found: Any) -> bytes:
        written.append(found.event.body)
        return event_tail_frame(found)

    event_tail_frame = event_tail.frame
    monkeypatch.setattr(event_tail, "frame", frame)
    async with whole_api() as api:
        campaign_id = await running(api)
        url = f"{CAMPAIGNS}/{campaign_id}/events?after=now"
        async with following(api.app, url) as one, following(api.app, url) as two:
            for ear in (one, two):
                assert await ear.begun() == 200
                await ear.block()
            while api.projector.events.tail.readers < 2:
                await asyncio.sleep(0)
            await move(api, campaign_id, "pause")
            heard = [await ear.events(1) for ear in (one, two)]
        assert heard[0] == heard[1]
        assert written == [heard[0][0].data]
