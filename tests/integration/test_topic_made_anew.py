"""campaign.events is deleted and made anew, or loses its end: it is noticed, said, and repaired."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from campaigns.process.errors import EventsCutError
from campaigns.records.installation import Installation
from projector.feeds.resumption import go_on_after
from projector.rebuild import finish, rebuild
from projector.store.present_store import PresentStore
from projector.store.publication import Publication
from projector.store.tables import OUTBOX
from tests.integration.test_exchange import serving
from tests.integration.test_projector_publishing import Topic, expected, history
from tests.integration.test_rebuild import Place
from tests.support.journal import Journal
from tests.support.waiting import until

KNOWN = Publication("first", {0: (45, 1)})


def event(place: str) -> bytes:
    return orjson.dumps({"id": place})


@pytest.mark.parametrize(
    ("stored", "topic_id", "last", "after"),
    [
        (Publication(), "first", None, None),
        (Publication(), "first", event("0@7/0"), (7, 0)),
        (KNOWN, "first", event("0@45/1"), (45, 1)),
        (KNOWN, "first", event("0@60/0"), (60, 0)),  # It crashed before it had noted that.
        (KNOWN, "first", None, (45, 1)),  # Its events have expired.
        (KNOWN, "", event("0@45/1"), (45, 1)),  # A broker without ids.
        (KNOWN, "first", b"a stranger's", (45, 1)),
        (KNOWN, "first", event("3@50/0"), (45, 1)),  # Of another partition.
        (Publication("first", {}, frozenset({0})), "second", event("0@60/0"), None),
    ],
)
def test_where_it_goes_on(
    stored: Publication, topic_id: str, last: bytes | None, after: tuple[int, int] | None
) -> None:
    assert go_on_after(0, stored, topic_id, last) == after


@pytest.mark.parametrize(
    ("stored", "topic_id", "last", "said"),
    [
        (KNOWN, "second", None, "campaign.events/0: expected the topic first, found second: "),
        (KNOWN, "second", event("0@60/0"), "it was deleted and made anew"),
        (KNOWN, "", None, "expected events up to 0@45/1, found none: "),
        (KNOWN, "first", event("0@45/0"), "found 0@45/0 as the last: it has lost its end: "),
        (Publication("first", {}, cuts={0: "as it was said"}), "first", None, "as it was said"),
    ],
)
def test_what_is_noticed(stored: Publication, topic_id: str, last: bytes | None, said: str) -> None:
    with pytest.raises(EventsCutError) as told:
        go_on_after(0, stored, topic_id, last)
    assert said in str(told.value)


def complete(topic: Topic, journal: Journal) -> bool:
    return all(topic.ids(number) == expected(journal, number) for number in (0, 1))


async def publish_again(place: Place, journal: Journal) -> None:
    serving = PresentStore(place.url, place.data_dir)
    found = await rebuild(
        journal.log, Installation(), serving, place.replacement, publish_again=True
    )
    serving.disconnect()
    assert found.differences == 0, found.shown
    finish(place.replacement, found)


async def test_a_topic_made_anew_gets_nothing_until_it_is_published_again(tmp_path: Path) -> None:
    place, journal, topic = Place(None, tmp_path), history(), Topic()
    async with serving(place, journal, topic):
        await until(lambda: complete(topic, journal))
        await until(lambda: not any(place.rows()[OUTBOX.name]))
    topic.events.clear()
    topic.id = "second"
    journal.stop(1)
    async with serving(place, journal, topic) as (part, client):
        assert part.publishing is not None
        cut = part.publishing.cut
        await until(lambda: len(cut) == 2)
        troubles = await part.troubles()
        assert len(troubles) == 2
        assert "campaign.events/0: expected the topic first, found second: " in troubles[0]
        assert "`dialgate rebuild --publish-again`" in troubles[0]
        assert (await client.get("/api/v1/campaigns/1")).status_code == 200
        assert not topic.events, "a gap is never filled in silence"
        await publish_again(place, journal)
        await until(lambda: complete(topic, journal))
        assert not await part.troubles()
        journal.stop(2)
        await until(lambda: complete(topic, journal))
    async with serving(place, journal, topic):
        journal.stop(3)
        await until(lambda: complete(topic, journal))
    for partition in (0, 1):
        ids = [orjson.loads(value)["id"] for _, value in topic.events[partition]]
        assert ids == expected(journal, partition), "no gap, no repeat"


class Cut(Topic):
    """A topic that has lost its end, which an append shows."""

    cut = False

    async def publish(self, number: int, messages: Sequence[tuple[bytes, bytes]]) -> None:
        await super().publish(number, messages)
        if self.cut:
            raise EventsCutError("campaign.events: expected offset 9 or later, found 3")


async def test_a_topic_that_is_cut_while_it_publishes_stays_so_over_restarts(
    tmp_path: Path,
) -> None:
    """The event that showed it is there, so the topic ends as it should: only the store knows."""
    place, journal, topic = Place(None, tmp_path), history(), Cut()
    async with serving(place, journal, topic) as (part, _):
        assert part.publishing is not None
        cut = part.publishing.cut
        await until(lambda: complete(topic, journal))
        topic.cut = True
        del topic.events[1][-3:]
        journal.stop(1)
        await until(lambda: cut)
        topic.cut = False
    journal.stop(3)
    async with serving(place, journal, topic) as (part, _):
        assert part.publishing is not None
        cut = part.publishing.cut
        await until(lambda: cut)
        (trouble,) = await part.troubles()
        assert "expected offset 9 or later, found 3" in trouble
        assert "`dialgate rebuild --publish-again`" in trouble
        topic.events.clear()
        await publish_again(place, journal)
        await until(lambda: complete(topic, journal))
