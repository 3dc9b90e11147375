"""The sockets: who may connect, what they send and answer, and when they close."""

from datetime import datetime

import pytest
from burki.realtime.campaign_progress import CampaignProgressStream

from campaigns.domain.facts import (
    AnyFact,
    CampaignCompleted,
    Disposition,
)
from campaigns.records.ledger import Ledger
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
from tests.support.ear import Ear, is_type, listening
from tests.support.race import everything
from tests.support.sample_facts import call_ended, call_requested, call_started
from tests.support.several_apis import CONTACTS
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

SDK = CampaignProgressStream("", "")


def progress_of(campaign_id: int, token: str = "one") -> str:
    return f"/ws/campaigns/{campaign_id}/progress?token={token}"


async def running(api: Whole, contacts: int = 2) -> int:
    campaign_id = await api.create(contacts=CONTACTS[:contacts])
    await move(api, campaign_id, "start")
    return campaign_id


async def move(api: Whole, campaign_id: int, verb: str) -> None:
    answer = await api.client.post(f"{CAMPAIGNS}/{campaign_id}/{verb}")
    assert answer.status_code == 200


async def write(api: Whole, campaign_id: int, *facts: AnyFact, record_id: str = "r" * 32) -> None:
    """Append facts as a dialer would."""
    partition = campaign_partition(campaign_id, api.log.partitions(CAMPAIGN_RECORDS))
    ledger = Ledger()
    for recorded in await everything(api.log, partition):
        if isinstance(recorded.envelope, Envelope):
            ledger.admit(recorded.envelope)
    condition = ledger.condition({fact.stream for fact in facts})
    now = api.commands.clock.now()
    record = Record(record_id, now, "test", "dialer", "test", None, condition, facts)
    await api.log.append(partition, record, campaign_id)


async def call(api: Whole, campaign_id: int, contact_id: int, how: Disposition) -> None:
    """Call a contact to the end."""
    now, call_id = api.commands.clock.now(), f"{campaign_id:016d}{contact_id:016d}"
    requested = call_requested(campaign_id, contact_id, call_id, now)
    await write(api, campaign_id, requested, record_id=call_id)
    await write(api, campaign_id, call_started(requested, now), record_id=f"s{call_id}")
    ended = call_ended(requested, now, how, 4.5)
    await write(api, campaign_id, ended, record_id=f"e{call_id}")


async def test_a_client_is_told_how_it_stands_in_every_vocabulary() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        async with listening(api.app, progress_of(campaign_id)) as ear:
            ack, initial, progress, update = [await ear.frame() for _ in range(4)]
        assert (ack["type"], ack["campaign_id"]) == ("connection_ack", campaign_id)
        assert datetime.fromisoformat(ack["timestamp"]).timestamp() == ack["timestamp_unix"]
        assert initial["type"] == "initial_progress"
        assert initial["data"]["recent_activity"] == []
        assert (initial["data"]["status"], initial["data"]["progress"]["pending"]) == ("running", 2)
        assert (progress["type"], progress["pending_contacts"]) == ("progress", 2)
        assert progress["data"]["successful_contacts"] == 0
        assert (update["type"], "recent_activity" in update["data"]) == ("progress_update", False)


async def test_each_change_is_told_and_the_end_of_it() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("progress_update"))
            await call(api, campaign_id, 1, Disposition.ANSWERED)
            told = await ear.until(is_type("contact_completed"))
            await call(api, campaign_id, 2, Disposition.BUSY)
            missed = await ear.until(is_type("contact_completed"))
            over = CampaignCompleted(
                campaign_id=campaign_id, run=1, completed_at=api.commands.clock.now()
            )
            await write(api, campaign_id, over)
            finished = await ear.until(is_type("campaign_completed"))
        done = told[-1]["data"]
        assert (done["phone_number"], done["outcome"]) == ("+15550000001", "success")
        (contact,) = [one for one in told if one["type"] == "contact_update"][-1:]
        assert (contact["contact_id"], contact["status"]) == (1, "completed")
        assert contact["call_duration"] == 4, "whole seconds, or the SDK fails"
        assert missed[-1]["data"]["outcome"] == "busy"
        last = finished[-1]
        assert (last["completed_contacts"], last["failed_contacts"]) == (1, 1)
        assert (last["success_rate"], last["data"]["success_rate"]) == (50.0, 50.0)
        for frame in (*told, *missed, *finished):
            SDK._parse_event(frame)


async def test_who_comes_late_hears_that_it_is_completed_and_a_stop_is_no_completion() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("progress_update"))
            await move(api, campaign_id, "stop")
            told = await ear.until(lambda one: one.get("data", {}).get("status") == "cancelled")
        assert told[-1]["data"]["progress"]["cancelled"] == 2
        assert "campaign_completed" not in {one["type"] for one in told}
        other = await running(api, contacts=1)
        await call(api, other, 1, Disposition.ANSWERED)
        over = CampaignCompleted(campaign_id=other, run=1, completed_at=api.commands.clock.now())
        await write(api, other, over)
        await api.get(str(other))
        async with listening(api.app, progress_of(other)) as ear:
            await ear.until(is_type("campaign_completed"))


async def test_the_first_state_is_told_again_for_who_missed_it() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        async with listening(api.app, progress_of(campaign_id)) as ear:
            for _ in range(2):
                await ear.until(is_type("progress"))


async def test_what_a_client_asks_is_answered_and_nonsense_passed_over() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        await call(api, campaign_id, 1, Disposition.ANSWERED)
        await api.get(str(campaign_id))
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("progress_update"))
            for nonsense in ("{", "[]", '"ping"', {"type": "dance"}, {}, {"type": ["ping"]}):
                ear.say(nonsense)
            ear.say({"type": "ping"})
            assert (await ear.until(is_type("pong")))[-1] == {"type": "pong"}
            ear.say({"type": "request_update"})
            told = (await ear.until(is_type("progress_update")))[-1]
            assert told["data"]["progress"]["completed"] == 1
            for hours in ({"hours": 1}, {}, {"hours": -1}, {"hours": "x"}, {"hours": 10**9}):
                ear.say({"type": "request_history"} | hours)
                history = (await ear.until(is_type("metrics_history")))[-1]["data"]
                assert (history[-1]["completed"], history[-1]["success_rate"]) == (1, 100.0)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/ws/campaigns/1/progress", 1008),
        ("/ws/campaigns/1/progress?token=nobody", 1008),
        ("/ws/campaigns/monitor?token=", 1008),
        ("/ws/campaigns/999/progress?token=one", 4004),
        ("/ws/campaigns/abc/progress?token=one", 4004),
        ("/ws/campaigns/0/progress?token=one", 4004),
        ("/ws/campaigns/99999999999999999999/progress?token=one", 4004),
        (f"/ws/campaigns/{'9' * 5000}/progress?token=one", 4004),
    ],
)
async def test_who_may_not_come_is_told_why_after_the_handshake(path: str, code: int) -> None:
    async with whole_api() as api, listening(api.app, path) as ear:
        assert await ear.closed() == code
        assert ear.accepted is not None


async def test_another_organizations_campaign_is_not_there() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        async with listening(api.app, progress_of(campaign_id, "two")) as ear:
            assert await ear.closed() == 4004


async def test_a_key_may_come_in_a_header_or_a_subprotocol() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        bare = f"/ws/campaigns/{campaign_id}/progress/"
        async with listening(api.app, bare, headers={"Authorization": "Bearer one"}) as ear:
            await ear.until(is_type("connection_ack"))
        offers = ("chat", "burki-token-one")
        async with listening(api.app, bare, offers=offers) as ear:
            await ear.until(is_type("connection_ack"))
            assert ear.accepted == "burki-token-one"


async def test_a_deleted_campaign_ends_its_sockets() -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=CONTACTS)
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("progress_update"))
            await api.client.delete(f"{CAMPAIGNS}/{campaign_id}")
            assert await ear.closed() == 4004


async def test_the_connections_page_shows_who_listens() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        url = f"/ws/campaigns/{campaign_id}/connections"
        nobody = {"campaign_id": campaign_id, "connections": [], "total": 0}
        assert (await api.client.get(url)).json() == nobody
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("connection_ack"))
            shape = (await api.client.get(url)).json()
            (connection,) = shape["connections"]
            assert (shape["total"], connection["client"]) == (1, "192.0.2.7")
            assert connection["connected_at"].endswith("+00:00")
            two = {"Authorization": "Bearer two"}
            assert (await api.client.get(url, headers=two)).status_code == 404
        assert (await api.client.get(url)).json() == nobody


async def monitoring(ear: Ear) -> list[int]:
    """Return which campaigns the overview shows."""
    overview = (await ear.until(is_type("overview")))[-1]
    return [one["campaign_id"] for one in overview["campaigns"]]


async def test_a_monitor_sees_all_campaigns_of_its_organization_and_no_other() -> None:
    async with whole_api() as api:
        one = await running(api)
        api.client.headers["Authorization"] = "Bearer two"
        foreign = await api.create(contacts=CONTACTS)
        api.client.headers["Authorization"] = "Bearer one"
        async with listening(api.app, "/ws/campaigns/monitor?token=one") as ear:
            assert await monitoring(ear) == [one]
            api.client.headers["Authorization"] = "Bearer two"
            await move(api, foreign, "start")
            api.client.headers["Authorization"] = "Bearer one"
            await move(api, one, "pause")
            told = await ear.until(is_type("campaign_update"))
        assert {frame["data"]["campaign_id"] for frame in told if "data" in frame} == {one}
        assert (told[-1]["data"]["status"], told[-1]["data"]["name"]) == ("paused", "Sample")
        assert told[-1]["data"]["progress"]["pending"] == 2


async def test_a_monitor_that_subscribes_sees_those_alone() -> None:
    async with whole_api() as api:
        first, second = await running(api), await running(api)
        async with listening(api.app, "/ws/campaigns/monitor?token=one") as ear:
            assert sorted(await monitoring(ear)) == sorted([first, second])
            for said in ({"type": "subscribe"}, {"type": "subscribe", "campaign_ids": ["1"]}):
                ear.say(said)
            ear.say({"type": "subscribe", "campaign_ids": [second]})
            ear.say({"type": "ping"})
            await ear.until(is_type("pong"))
            await move(api, first, "pause")
            await move(api, second, "pause")
            told = await ear.until(is_type("campaign_update"))
            assert [one["data"]["campaign_id"] for one in told] == [second]
            ear.say({"type": "unsubscribe", "campaign_ids": [second]})
            ear.say({"type": "subscribe", "campaign_ids": [first]})
            ear.say({"type": "ping"})
            await ear.until(is_type("pong"))
            await move(api, second, "resume")
            await move(api, first, "resume")
            told = await ear.until(is_type("campaign_update"))
            assert [one["data"]["campaign_id"] for one in told] == [first]


async def test_more_connections_than_allowed_are_sent_away() -> None:
    async with whole_api() as api:
        campaign_id = await running(api)
        api.projector.hub.listeners_max = 1
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("connection_ack"))
            async with listening(api.app, progress_of(campaign_id)) as other:
                assert await other.closed() == 1013
        async with listening(api.app, progress_of(campaign_id)) as ear:
            await ear.until(is_type("connection_ack"))
