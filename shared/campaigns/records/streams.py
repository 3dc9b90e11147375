"""The names of streams, and the partition to which each belongs. Pure.

One grammar covers all streams, also kinds of later versions: if they were foreign to an older
reader, its ledger would differ from the others'.
"""

import re

from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION_RECORDS,
    ORGANIZATION_RECORDS,
    Partition,
)

_STREAM = re.compile(r"[a-z][a-z-]{0,31}(/[A-Za-z0-9._-]{1,100}){1,2}", re.ASCII)
_LENGTH_MAX = 32 + 2 * 101  # Of a stream's name, by this grammar.
_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_OF_CAMPAIGN = {"campaign": 2, "contacts": 2, "contact": 3}  # Kind → its parts.
# Nearly every stream, in one match: the last number is the contact's, or else the campaign's.
_USUAL = re.compile(
    r"(?:contact/([1-9][0-9]{0,15})/|campaign/|contacts/)([1-9][0-9]{0,15})", re.ASCII
)
_PLACES_MAX = 4_096  # Cached streams: those of the calls under way.


class _Places(dict[str, tuple[int, int] | None]):
    """A stream's campaign and contact; contact 0: of no contact; None: of no campaign.

    Cached, because each name is looked up often: by each reader's ledger, and for each record of
    the same call.
    """

    def __missing__(self, stream: str) -> tuple[int, int] | None:
        if len(stream) > _LENGTH_MAX:
            return None  # Not cached either.
        place = None
        if usual := _USUAL.fullmatch(stream):
            campaign, number = usual.groups()
            place = (int(campaign), int(number)) if campaign else (int(number), 0)
        self.remember(stream, place)
        return place

    def remember(self, stream: str, place: tuple[int, int] | None) -> None:
        """Cache what is known of a stream already."""
        if len(self) >= _PLACES_MAX:
            self.clear()
        self[stream] = place


PLACES = _Places()


def misplaced(stream: str, partition: Partition, partitions: int) -> str | None:
    """Return why a stream cannot be in this partition, or None. `partitions`: of its topic."""
    if len(stream) > _LENGTH_MAX:
        return f"{stream[:80]!r} is no stream"
    place = PLACES[stream]
    if place and place[0] % partitions == partition.number and partition.topic == CAMPAIGN_RECORDS:
        return None
    if not _STREAM.fullmatch(stream):
        return f"{stream[:80]!r} is no stream"
    kind, *ids = stream.split("/")
    if (kind == "organization") != (partition.topic == ORGANIZATION_RECORDS):
        return f"{stream} does not belong on {partition.topic}"
    if partition.topic == INSTALLATION_RECORDS and kind != "installation":  # Only that way round:
        return f"{stream} does not belong on {partition.topic}"  # elsewhere, older readers say no.
    if kind in _OF_CAMPAIGN and partition.topic == CAMPAIGN_RECORDS:
        if len(ids) + 1 != _OF_CAMPAIGN[kind] or not all(map(_NUMBER.fullmatch, ids)):
            return f"{stream} is no {kind} stream"
        if int(ids[0]) % partitions != partition.number:
            return f"{stream} does not belong in partition {partition.number} of {partitions}"
    return None
