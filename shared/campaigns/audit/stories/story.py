"""The story of one campaign: facts in words, calls by the minute, and receipts of its pauses.

Pure: accepted facts in, items out, in order. It holds the campaign's state and the counts of one
minute, so its memory does not grow with the calls. A pause, and what follows it, is held back until
the pause has settled, which takes a lease and a carrier timeout at most.

A story may begin at any item: with the campaign's state as of the item's position, what follows is
told as it would have been.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from campaigns.audit.stories.call_counts import CallCounts
from campaigns.audit.stories.fact_place import FactPlace, place_of
from campaigns.audit.stories.fact_texts import text_of
from campaigns.audit.stories.phrases import counted, lasted, moment
from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.campaign import Campaign
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import (
    AnyCampaignFact,
    CallAbandoned,
    CallEnded,
    CallFact,
    CallStarted,
    CampaignDeleted,
    CampaignFact,
    CampaignPaused,
    CampaignResumed,
    CampaignStopped,
    CampaignUpdated,
    ContactExhausted,
    ContactsFact,
    ContactSkipped,
    ContactsReplaced,
)
from campaigns.domain.values.instants import instant
from campaigns.records.log_entry import Recorded

CALLS = "calls"  # What an item of counts is; other items are what their fact's tag says.
_COUNTED = (
    CallFact,
    ContactExhausted,
    ContactSkipped,
)  # A line a contact would be a line too many.
_HALTS = (CampaignPaused, CampaignStopped, CampaignDeleted)  # Calling ends, with a receipt.
# After these a pause goes on, so a receipt may still be waited for.
_GOES_ON = (*_COUNTED, CampaignUpdated, ContactsFact, ContactsReplaced)


@dataclass(slots=True)
class Item:
    """One line of a story."""

    at: datetime  # When it was recorded; of calls: the first of them.
    position: str  # Of the record, as partition@position; of calls: the last of them.
    actor: str  # For whom it was recorded.
    what: str  # The fact's tag, or CALLS.
    text: str
    until: datetime | None = None  # Of calls: when the last of them was recorded.
    calls: CallCounts | None = None
    halts: bool = False  # It ends calling.
    receipt: dict[str, Any] | None = None  # What its answer said. None: not settled. Any: JSON.
    settled_at: datetime | None = None

    def shape(self) -> dict[str, Any]:
        """Return the item as JSON."""
        shape: dict[str, Any] = {
            "at": instant(self.at),
            "position": self.position,
            "actor": self.actor,
            "what": self.what,
            "text": self.text,
        }
        if self.calls is not None and self.until is not None:
            shape |= {"until": instant(self.until), "calls": self.calls.shape()}
        if self.halts:
            shape["receipt"] = self.receipt
        return shape


@dataclass(slots=True)
class _Halt:
    """A pause, a stop or a delete that has not settled yet."""

    item: Item
    open: set[str]  # Permissions that were accepted before it and are not resolved.
    over_at: datetime  # Then the lease and the carrier timeout of each have passed.


@dataclass(slots=True)
class Story:
    """Tells the accepted facts of one campaign, in the log's order."""

    campaign: Campaign | None = None  # As of the last fact taken. None: not created yet.
    reveal: bool = False  # Tell personal data, too.
    _minute: Item | None = None  # The calls of this minute, so far.
    _halt: _Halt | None = None
    _items: list[Item] = field(default_factory=list)  # Complete, but behind what is held back.

    def tell(self, recorded: Recorded, campaign_id: int) -> Iterator[Item]:
        """Take the campaign's facts in an accepted record; yield the items that are complete now.

        Facts of other campaigns, and chunks of lists, which name no campaign, are passed over.
        """
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact) and fact.campaign_id == campaign_id:
                yield from self.take(fact, place_of(recorded))

    def take(self, fact: AnyCampaignFact, place: FactPlace) -> list[Item]:
        """Take the next fact; return the items that are complete now."""
        if (halt := self._halt) and place.at >= halt.over_at:
            self._settle(halt, halt.over_at)
        elif halt and not isinstance(fact, _GOES_ON):
            self._settle(halt, None)
        paused_at = self.campaign.paused_at if self.campaign else None
        self.campaign = evolve(
            self.campaign,
            fact,
            place.position,
            partition=place.partition,
            actor=place.actor,
        )
        if isinstance(fact, _COUNTED):
            self._count(fact, place)
        else:
            self._close_minute()
            text = text_of(fact, reveal=self.reveal)
            if isinstance(fact, CampaignResumed) and paused_at is not None:
                text += (
                    f" The pause lasted {lasted((fact.resumed_at - paused_at).total_seconds())}."
                )
            item = Item(
                place.at, str(place), place.actor, fact.TYPE, text, halts=isinstance(fact, _HALTS)
            )
            self._items.append(item)
            if item.halts:
                self._begin_halt(item, place)
        return self._released()

    def cut(self) -> list[Item]:
        """End this minute early, for a page; nothing while something is held back."""
        if self._halt is None:
            self._close_minute()
        return self._released()

    def end(self) -> list[Item]:
        """Return what is left where the log ends: this minute's calls, and what has not settled."""
        if halt := self._halt:
            self._halt = None
            permissions = counted(len(halt.open), "permission")
            halt.item.text += f" Where the log ends, {permissions} had not been settled."
        self._close_minute()
        return self._released()

    def unfinished(self) -> list[Item]:
        """Return what `end` would, of a story that goes on: what is told later may differ."""
        told = [replace(item) for item in self._items]
        if (halt := self._halt) is not None:
            permissions = counted(len(halt.open), "permission")
            for item, copy in zip(self._items, told, strict=True):
                if item is halt.item:
                    copy.text += f" Not settled yet: {permissions} may still be used."
        if (minute := self._minute) is not None:
            assert minute.calls is not None, "a minute counts calls"
            told.append(replace(minute, text=minute.calls.text()))
        return told

    def _released(self) -> list[Item]:
        if self._halt is not None:
            return []
        released, self._items = self._items, []
        return released

    def _count(self, fact: Any, place: FactPlace) -> None:  # Any: one of _COUNTED.
        minute = self._minute
        if minute is None or _minute_of(place.at) > _minute_of(minute.at):
            self._close_minute()
            minute = self._minute = Item(
                place.at, "", place.actor, CALLS, "", until=place.at, calls=CallCounts()
            )
        assert minute.calls is not None, "a minute counts calls"
        minute.calls.take(fact)
        minute.position, minute.until = str(place), max(place.at, minute.until or place.at)
        if (halt := self._halt) and isinstance(fact, CallStarted | CallAbandoned | CallEnded):
            halt.open.discard(fact.call_id)
            if not halt.open:
                self._settle(halt, place.at)

    def _close_minute(self) -> None:
        if (minute := self._minute) is not None:
            assert minute.calls is not None, "a minute counts calls"
            minute.text, self._minute = minute.calls.text(), None
            self._items.append(minute)

    def _begin_halt(self, item: Item, place: FactPlace) -> None:
        if self.campaign is None:
            return  # A foreign producer's: there is nothing to wait for.
        waited = [one for one in self.campaign.permissions() if one.position < place.position]
        over_s = max((one.lease_s + one.carrier_timeout_s for one in waited), default=0.0)
        over_at = _later(place.at, min(over_s, _OVER_S_MAX))
        self._halt = _Halt(item, {one.call_id for one in waited}, over_at)
        if not waited:
            self._settle(self._halt, place.at)

    def _settle(self, halt: _Halt, at: datetime | None) -> None:
        """Note what the answer rested on. `at`: when it settled; None: another move came first."""
        assert self.campaign is not None, "only what exists is waited for"
        item, self._halt = halt.item, None
        item.settled_at = at
        item.receipt = receipt_shape(self.campaign, item.position, self.campaign.abandoned)
        item.receipt["settled_at"] = instant(at) if at else None
        item.text += f" {_receipt_text(item.receipt, at)}"


_OVER_S_MAX = 86_400.0  # A foreign producer's lease may be of any length.


def _receipt_text(receipt: dict[str, Any], at: datetime | None) -> str:
    when = f"Settled at {moment(at)}" if at else "Not settled before the next command"
    return (
        f"{when}, {receipt['guarantee']}: {counted(receipt['calls_in_progress'], 'call')} in"
        f" progress, {counted(receipt['permissions_abandoned'], 'permission')} abandoned,"
        f" {counted(receipt['contacts_pending'], 'contact')} pending."
    )


def _minute_of(at: datetime) -> int:
    return int(at.timestamp() // 60)


def _later(at: datetime, seconds: float) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:  # A foreign producer's, at the end of the calendar.
        return at
