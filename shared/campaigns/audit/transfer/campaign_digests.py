"""A digest of each campaign's accepted records, whatever partitions they stand in. Pure.

Two logs with the same digest of a campaign hold the same accepted records of it in the same order,
although one has other partitions, or other campaigns beside it.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from campaigns.audit.transfer.export_format import CampaignSummary
from campaigns.domain.facts import TAGS, CallFact
from campaigns.domain.values.stream_names import Stream, import_stream
from campaigns.records.log_entry import Recorded
from campaigns.records.record import AppendCondition, Envelope
from campaigns.records.streams import PLACES

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_WAITING_MAX = 32  # Records of a campaign that wait to be hashed: at most 8 MiB a campaign.
# By exact type: for a struct, `isinstance` costs five times as much.
_CALLS = frozenset(kind for kind in TAGS.values() if issubclass(kind, CallFact))


@dataclass(frozen=True, slots=True)
class Streams:
    """What a record rests on: campaigns, and the streams that are of none by their name."""

    campaigns: Set[int]
    others: Set[Stream]


def streams_of(recorded: Recorded) -> Streams:
    """Return the streams of an accepted record; a list is also named by the facts that count it."""
    envelope = recorded.envelope
    assert isinstance(envelope, Envelope), "an accepted record has an envelope"
    campaigns, others = set[int](), set[Stream]()
    for stream in envelope.condition:
        if place := PLACES[stream]:
            campaigns.add(place[0])
        else:
            others.add(Stream(stream))
    if campaigns:
        others |= {
            import_stream(import_id)
            for fact in recorded.facts
            if not isinstance(fact, CallFact) and (import_id := getattr(fact, "import_id", None))
        }
    return Streams(campaigns, others)


class _Kept:
    """One hash over records, each after its length. Some wait: hashed together they take half."""

    __slots__ = ("_hash", "_waiting", "records")

    def __init__(self) -> None:
        self.records, self._hash, self._waiting = 0, sha256(), list[bytes]()

    def accept(self, raw: bytes, records: int = 1) -> None:
        self.records += records
        self._waiting.append(b"%d:%b" % (len(raw), raw))
        if len(self._waiting) >= _WAITING_MAX:
            self.finish()

    def finish(self) -> "Hash":
        """Hash what waits; return the hash."""
        self._hash.update(b"".join(self._waiting))
        self._waiting.clear()
        return self._hash


@dataclass(slots=True)
class CampaignDigests:
    """The digests so far: as much as there are campaigns, and lists that do not count yet."""

    _campaigns: dict[int, _Kept] = field(default_factory=dict)
    _lists: dict[Stream, _Kept] = field(default_factory=dict)  # Chunks that no campaign names yet.

    def accept(self, recorded: Recorded) -> None:
        """Add the next accepted record of a partition.

        A list's chunks are added where its campaign first names it, as one digest.
        """
        raw, facts = recorded.raw or b"", recorded.facts
        if (  # About one of its calls, as nearly all are.
            len(facts) == 1
            and type(fact := facts[0]) in _CALLS
            and (known := self._campaigns.get(fact.campaign_id)) is not None  # type: ignore[union-attr]
            and _rests_only_on(fact.campaign_id, recorded.envelope.condition)  # type: ignore[union-attr]
        ):
            known.accept(raw)
            return
        streams = streams_of(recorded)
        if not streams.campaigns:
            for stream in streams.others:
                self._lists.setdefault(stream, _Kept()).accept(raw)
            return
        for campaign in streams.campaigns:
            kept = self._campaigns.setdefault(campaign, _Kept())
            for stream in sorted(streams.others & self._lists.keys()):
                brought = self._lists.pop(stream)
                kept.accept(brought.finish().digest(), brought.records)
            kept.accept(raw)

    def summaries(self) -> Iterator[CampaignSummary]:
        """Yield each campaign's digest, by its number."""
        for campaign, kept in sorted(self._campaigns.items()):
            yield CampaignSummary(campaign, kept.records, f"sha256:{kept.finish().hexdigest()}")


def _rests_only_on(campaign: int, condition: AppendCondition) -> bool:
    """Say whether all streams of a call's record are of its campaign."""
    if len(condition) == 1:
        return True  # It is the contact's, which the record writes.
    for stream in condition:
        if (place := PLACES[stream]) is None or place[0] != campaign:
            return False
    return True
