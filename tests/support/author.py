"""Random histories of one campaign: legal moves alone, few contacts. No tests."""

import random
from collections import Counter
from datetime import timedelta

from msgspec.structs import replace

from campaigns.domain.campaign import gone
from campaigns.domain.facts import CampaignUpdated, Disposition, Selection
from campaigns.domain.moves import FINAL, Move, Status
from tests.support.folded_journal import FoldedJournal

STORIES = 400
STEPS = 60
RETRIED = (Disposition.NO_ANSWER, Disposition.BUSY, Disposition.FAILED)


class Author:
    """Tells a random history of legal moves; some leave whole kinds out."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.told = FoldedJournal()
        self.past: list[
            tuple[str, int, int, int]
        ] = []  # Abandoned calls, which may still ring late.
        self.happened: Counter[str] = Counter()
        kinds = ["pause", "stop", "replace", "append", "abandon", "late", "end"]
        self.left_out = {kind for kind in kinds if self.chance.random() < 0.25}
        self.told.running(self.chance.randint(1, 5))

    def tell(self) -> None:
        """Take one step."""
        steps = ["ask"] * 4 + ["ring", "end", "end", "abandon", "late", "pause"]
        steps += ["replace", "append"] if self.chance.random() < 0.3 else []
        steps += ["update", "exhaust", "exhaust"]
        steps += ["complete", "rearm", "start", "start"]
        steps += ["stop"] if self.chance.random() < 0.05 else []
        step = self.chance.choice(steps)
        if step not in self.left_out and getattr(self, f"_{step}")():
            self.happened[step] += 1

    def _ask(self) -> bool:
        told, campaign = self.told, self.told.campaign
        able = [
            n
            for n in range(1, campaign.contacts_end + 1)
            if told.contact(n).status == "pending"
            and not gone(campaign, n, told.contact(n).ever, False)
            and told.contact(n).attempts < campaign.settings.max_attempts
        ]
        if campaign.status is not Status.RUNNING or not able:
            return False
        contact_id = self.chance.choice(able)
        contact = told.contact(contact_id)
        told.ask(contact_id, contact.attempts + 1, run=campaign.run, tried=contact.tried)
        return True

    def _ring(self) -> bool:
        for call in self.told.campaign.permissions():
            self.told.ring(call.call_id, call.contact_id, call.attempt, run=call.run)
            return True
        return False

    def _end(self) -> bool:
        told = self.told
        if not (calls := list(told.campaign.calls.values())):
            return False
        call = self.chance.choice(calls)
        how = self.chance.choice(list(Disposition))
        contact = told.contact(call.contact_id)
        again = (
            how in RETRIED
            and contact.attempts + 1 < told.campaign.settings.max_attempts
            and told.campaign.status not in FINAL
        )
        delay = timedelta(minutes=5) if again else None
        told.end(call.call_id, call.contact_id, how, call.attempt, retry_in=delay, run=call.run)
        return True

    def _abandon(self) -> bool:
        for call in self.told.campaign.permissions():
            self.told.give_back(call.call_id)
            self.past.append((call.call_id, call.contact_id, call.attempt, call.run))
            return True
        return False

    def _late(self) -> bool:
        if not self.past:
            return False
        self.told.rang_late(*self.past.pop(self.chance.randrange(len(self.past))))
        return True

    def _pause(self) -> bool:
        if self.told.campaign.allows(Move.PAUSE):
            self.told.pause()
        elif self.told.campaign.allows(Move.RESUME):
            self.told.resume()
        else:
            return False
        return True

    def _replace(self) -> bool:
        campaign = self.told.campaign
        if not campaign.allows(Move.IMPORT):
            return False
        rows = self.chance.randint(1, 3)
        self.told.replace(campaign.contacts_end, rows, campaign.imports + 1)
        return True

    def _append(self) -> bool:
        if not self.told.campaign.allows(Move.APPEND):
            return False
        self.told.append(self.chance.randint(0, 3))
        return True

    def _update(self) -> bool:
        told, campaign = self.told, self.told.campaign
        if not campaign.allows(Move.UPDATE):
            return False
        most = self.chance.choice((1, 2, 3, 4))
        settings = replace(campaign.settings, max_attempts=most)
        told.write(CampaignUpdated(campaign_id=1, settings=settings, updated_at=told.now))
        return True

    def _exhaust(self) -> bool:
        # First lower the limit of a paused campaign, or hardly any contact would be exhausted.
        told, campaign = self.told, self.told.campaign
        if campaign.allows(Move.UPDATE) and self.chance.random() < 0.8:
            settings = replace(campaign.settings, max_attempts=1)
            told.write(CampaignUpdated(campaign_id=1, settings=settings, updated_at=told.now))
            told.resume()
        if campaign.status is not Status.RUNNING:
            return False
        for contact in told.contacts.values():
            spent = contact.attempts >= campaign.settings.max_attempts
            if contact.status == "pending" and spent:
                told.exhaust(contact.contact_id)
                return True
        return False

    def _complete(self) -> bool:
        campaign, told = self.told.campaign, self.told
        left = campaign.counters.pending or campaign.counters.in_progress or campaign.calls
        if left or not campaign.allows(Move.COMPLETE):
            return False
        told.complete()
        return True

    def _rearm(self) -> bool:
        told, campaign = self.told, self.told.campaign
        if not campaign.allows(Move.REARM) or campaign.calls:
            return False
        there = [
            n
            for n in range(1, campaign.contacts_end + 1)
            if not gone(campaign, n, told.contact(n).ever, False)
        ]
        named = [n for n in there if self.chance.random() < 0.5]
        told.rearm(self.chance.choice(list(Selection)), *named)
        return True

    def _start(self) -> bool:
        if self.told.campaign.status is not Status.DRAFT:
            return False
        self.told.start(run=self.told.campaign.run + 1)
        return True

    def _stop(self) -> bool:
        if not self.told.campaign.allows(Move.STOP):
            return False
        self.told.stop()
        return True
