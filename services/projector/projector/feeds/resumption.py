"""Decides after which event publishing goes on at a start. Pure."""

import logging

from campaigns.process.errors import EventsCutError
from campaigns.records.cloud_event import id_of
from projector.projections.changes import EventPlace
from projector.store.publication import Publication

logger = logging.getLogger(__name__)

WAY_OUT = (
    ": what is missing there is not in the outbox any more, so nothing is published until"
    " `dialgate rebuild --publish-again` publishes it from the beginning"
)


def go_on_after(
    number: int, stored: Publication, topic_id: str, last: bytes | None
) -> EventPlace | None:
    """Return the last event of a partition that is published. None: from the outbox's beginning.

    `topic_id`, `last`: of campaign.events as it is; its last event.

    Raises:
        EventsCutError: it is another topic than was published to, or has lost its end.

    """
    if number in stored.again:
        return None
    if number in stored.cuts:
        raise EventsCutError(stored.cuts[number])
    known, name = stored.places.get(number), f"campaign.events/{number}"
    if known is not None and stored.topic_id and topic_id not in ("", stored.topic_id):
        raise EventsCutError(
            f"{name}: expected the topic {stored.topic_id}, found {topic_id}: it was deleted and"
            f" made anew{WAY_OUT}"
        )
    found = id_of(last) if last is not None else None
    if last is not None and (found is None or found[0] != number):
        logger.warning("%s ends with an event that is not from Dialgate", name)
        return known
    if found is None:
        if known is not None and not topic_id:
            raise EventsCutError(
                f"{name}: expected events up to {_at(number, known)}, found none{WAY_OUT}"
            )
        return known  # The same topic: its events have expired.
    place = found[1:]
    if known is not None and place < known:
        raise EventsCutError(
            f"{name}: expected events up to {_at(number, known)}, found {_at(number, place)} as the"
            f" last: it has lost its end{WAY_OUT}"
        )
    return place


def _at(number: int, place: EventPlace) -> str:
    return f"{number}@{place[0]}/{place[1]}"
