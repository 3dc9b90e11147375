"""Which records of a log somebody wants to see. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from campaigns.audit.contact_history import ErasedThrough, said
from campaigns.audit.rulings import Ruled
from campaigns.audit.stories.fact_place import recorded_at
from campaigns.domain.facts import TAGS, CampaignFact
from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import ContractError
from campaigns.records.record import Envelope

_VERSION = re.compile(r"\.v\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """What a record must have to be shown; None and nothing ask for nothing.

    A record is shown whole if one of its facts fits. What has no facts to look at (foreign bytes,
    skipped records) is shown only if nothing is asked for.
    """

    campaign_id: int | None = None
    types: frozenset[str] = frozenset()  # Any of these tags; without a version: in each version.
    actor: str | None = None  # Whole, or whole words of it: `dialer`, `organization/7`.
    since: datetime | None = None  # Recorded then or later.
    until: datetime | None = None  # Recorded then or earlier.
    # `contact/42/7`: in its own stream, or what its campaign's facts say of it.
    contact: Stream | None = None
    correlation: str | None = None

    @property
    def empty(self) -> bool:
        """Say whether everything is shown."""
        return self == EVERYTHING

    def takes(self, ruled: Ruled, erased: ErasedThrough) -> bool:
        """Say whether a record is shown. `erased`: by the records before."""
        if self.empty:
            return True
        if not ruled.ruling.has_facts:
            return False
        envelope = ruled.recorded.envelope
        assert isinstance(envelope, Envelope), "what has facts has an envelope"
        return (
            (self.correlation is None or envelope.correlation_id == self.correlation)
            and (self.actor is None or f" {self.actor} " in f" {envelope.actor} ")
            and self._within(envelope.time)
            and (self.contact is None or tells_of(ruled, self.contact, erased))
            and (self.campaign_id is None or concerns(ruled, self.campaign_id))
            and (not self.types or any(self._wanted(tag) for tag in _tags(ruled)))
        )

    def _wanted(self, tag: str) -> bool:
        return tag in self.types or _VERSION.sub("", tag) in self.types

    def _within(self, time: str) -> bool:
        if self.since is None and self.until is None:
            return True
        at = recorded_at(time)
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)


EVERYTHING = RecordFilter()


def concerns(ruled: Ruled, campaign_id: int) -> bool:
    """Say whether a record has a fact of this campaign."""
    if not ruled.ruling.has_facts:
        return False
    envelope = ruled.recorded.envelope
    assert isinstance(envelope, Envelope), "what has facts has an envelope"
    of_campaign = tuple(f"{kind}/{campaign_id}/" for kind in ("campaign", "contacts", "contact"))
    if any(f"{entry.stream}/".startswith(of_campaign) for entry in envelope.entries):
        return True
    return any(
        str(offered["data"].get("campaign_id")) == str(campaign_id)
        for offered in ruled.recorded.offered
    )


def tells_of(ruled: Ruled, contact: Stream, erased: ErasedThrough) -> bool:
    """Say whether a record has a fact about a contact: in its stream, or of all in its campaign."""
    envelope = ruled.recorded.envelope
    assert isinstance(envelope, Envelope), "asked only of what has facts"
    if any(entry.stream == contact for entry in envelope.entries):
        return True
    campaign_id, contact_id = map(int, contact.split("/")[1:])
    if not concerns(ruled, campaign_id):
        return False
    try:
        facts = ruled.recorded.facts
    except ContractError:  # A refused one of a later build.
        return False
    return any(
        isinstance(fact, CampaignFact)
        and fact.campaign_id == campaign_id
        and said(fact, contact_id, erased.of(campaign_id)) is not None
        for fact in facts
    )


def known_types() -> frozenset[str]:
    """Return the tags that can be asked for, with and without their versions."""
    return frozenset(TAGS) | {_VERSION.sub("", tag) for tag in TAGS}


def _tags(ruled: Ruled) -> Iterator[str]:
    return (offered["type"] for offered in ruled.recorded.offered)
