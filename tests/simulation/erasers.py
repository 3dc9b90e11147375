"""People are erased under way, by the code of `dialgate erase`; some of its processes die half-way.

Who is erased waits, rests or is called just then, or a call was permitted and its dialer does not
know yet, or no dialer runs. Drawn by dice of their own; and once more by others, in a few worlds:
somebody whose dialer was held before it read its permission, or whose dialers died in a call.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from random import Random
from typing import TYPE_CHECKING, Any

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.facts import CallRequested, CampaignErased, ContactErased
from campaigns.log.installation_log import whole
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import ContractError, OperatingError
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from command_api.service import CommandApi
from dialgate.verbs.personal.deletion import Deletion
from dialgate.verbs.personal.whom import Whom, folded, refuse_unreadable, still_known
from dialgate.verbs.verb import MisusedError
from tests.simulation.clocks import SimClock
from tests.simulation.faulty_log import LogPort
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

ERASED = 0.35  # Of the worlds.
OF_CAMPAIGNS = 0.15  # Of the erasures.
HALF_WAY = 0.3  # Of the erasures: the process dies between fact and deletion.
UNREADY = 0.12  # Of the worlds: somebody is erased whose call is open, and whose dialer is not up.
HELD_S, DOWN_S = (0.1, 1.5), (0.5, 6.0)  # For so long.
MOMENTS = ("waits", "waits", "called", "rests", *["asked"] * 2, *["no dialer"] * 2)
LOOKS_MAX, LOOK_S = 300, 0.05  # For somebody of whom the moment is true.


class Erasers:
    """Those of one world."""

    def __init__(self, world: "World") -> None:
        self._world, self._dice = world, Random(f"{world.seed}/erasers")
        self.processes: list[Process] = []
        self._asked: dict[str, CallRequested] = {}  # By record.
        self._apart = Random(f"{world.seed}/erasures of the unready")
        self._down = set[tuple[int, int]]()  # Called when all dialers were killed.
        self._holds_next = False  # The dialer of the next permission: it does not know of it yet.
        world.log.watchers.append(self._watch)
        if self._dice.random() < ERASED:
            for number in range(self._dice.randint(1, 5)):
                at_s = self._dice.uniform(1.0, max(2.0, world.plan.until_s))
                world.loop.outside(at_s, self._begin, f"erase{number}", self._life)
        if self._apart.random() < UNREADY:
            at_s = self._apart.uniform(1.0, max(2.0, world.plan.until_s / 2))
            down = self._apart.random() < 0.5
            world.loop.outside(at_s, self._take_down if down else self._hold_next)

    def _begin(self, name: str, life: "Callable[[Process], Coroutine[Any, Any, None]]") -> None:
        process = Process(name, SimClock(self._world.loop.true))
        self.processes.append(process)
        process.life = self._world.loop.spawn(process, life(process))

    async def _life(self, process: Process) -> None:
        dice = self._dice
        moment, dies = dice.choice(MOMENTS), dice.random() < HALF_WAY
        campaign, contact_id = await self._somebody(moment)
        if campaign is None:
            return
        whom = Whom(contact=(campaign.campaign_id, contact_id))
        if dice.random() < OF_CAMPAIGNS:
            whom = Whom(campaign_id=campaign.campaign_id)
        await self._erase(process, whom, moment, dies=dies)

    # -- somebody whose dialer is not up -----------------------------------------------------------

    def _hold_next(self) -> None:
        self._holds_next = True

    def _hold(self, fact: CallRequested, by: Process) -> None:
        """Hold the dialer before it reads its permission, and erase the contact meanwhile."""
        world = self._world
        slot = next((one for one in world.dialers if one.process is by), None)
        if slot is None or slot.busy or by.dead or world.loop.true() >= world.plan.until_s:
            return
        self._holds_next, slot.busy = False, True
        by.hold()
        world.story.tell(by.name, "is held before it reads its permission")
        world.loop.outside(self._apart.uniform(*HELD_S), world._go_on, slot)
        self._erase_soon(fact.campaign_id, fact.contact_id, "is permitted")

    def _take_down(self) -> None:
        """Kill all dialers while a call is open, and erase its contact before one is back."""
        world = self._world
        called = [
            (campaign.campaign_id, one.contact_id)
            for api in self._apis()
            for campaign, one in _contacts(api)
            if self._is("called", one)
        ]
        if world.loop.true() >= world.plan.until_s:
            return
        if not called or any(slot.busy or slot.process.dead for slot in world.dialers):
            world.loop.outside(LOOK_S, self._take_down)
            return
        for slot in world.dialers:
            slot.busy = True
            world._kill(slot)
            world.loop.outside(self._apart.uniform(*DOWN_S), world._restart, slot)
        self._down.add(called[0])
        self._erase_soon(*called[0], "is called by a dialer that died")

    def _erase_soon(self, campaign_id: int, contact_id: int, moment: str) -> None:
        whom = Whom(contact=(campaign_id, contact_id))
        self._begin("eraser", lambda process: self._erase(process, whom, moment, dies=False))

    # -- the erasure -------------------------------------------------------------------------------

    async def _erase(self, process: Process, whom: Whom, moment: str, *, dies: bool) -> None:
        world = self._world
        world.story.tell(process.name, "erases {}, who {}", whom, moment)
        log = LogPort(world.log, process)
        assert log.list_keys is not None, "a world has keys"
        keys = MortalKeys(log.list_keys, self, process) if dies else log.list_keys
        try:
            installation = await whole(log)
            if installation.level < ContactErased.SINCE:
                return
            partitions = await folded(log, installation, whom, keys)
            found = still_known(partitions, whom)
            refuse_unreadable(found, keys)
            if found.people:
                await Deletion(log, installation, keys, partitions).erase(found, whom)
        except MisusedError as no:  # It is plain, as below the level.
            world.story.tell(process.name, "is refused: {}", no)
        except (OperatingError, ContractError) as no:  # It may have been recorded, or be so yet.
            world.story.tell(process.name, "fails: {!r}", no)

    async def _somebody(self, moment: str) -> tuple[Campaign | None, int]:
        """Return a contact of which the moment is true; if there is none in time, anybody."""
        anybody: list[tuple[Campaign | None, int]] = []
        for _ in range(LOOKS_MAX):
            if self._world.loop.true() >= self._world.plan.until_s:
                break
            known = [(c, one) for api in self._apis() for c, one in _contacts(api)]
            asked = self._not_read_back()
            if found := [
                (c, one.contact_id)
                for c, one in known
                if self._is(moment, one)
                or (moment == "asked" and (c.campaign_id, one.contact_id) in asked)
            ]:
                return self._dice.choice(found)
            anybody = [(c, one.contact_id) for c, one in known] or anybody
            await asyncio.sleep(LOOK_S)
        return self._dice.choice(anybody or [(None, 0)])

    def _apis(self) -> list[CommandApi]:
        processes = [slot.process for slot in self._world.apis]
        return [one.part for one in processes if one.serving and one.running][:1]

    def _is(self, moment: str, contact: Contact) -> bool:
        pending = contact.status is ContactStatus.PENDING
        match moment:
            case "waits":
                return pending and contact.due_at is None
            case "called":
                return contact.status is ContactStatus.IN_PROGRESS
            case "rests":
                return pending and contact.due_at is not None
            case "no dialer":
                return pending and self._no_dialer()
            case _:
                return False

    def _no_dialer(self) -> bool:
        processes = [slot.process for slot in self._world.dialers]
        return all(one.dead or not one.running for one in processes)

    def _watch(self, recorded: Recorded) -> None:
        if not isinstance(recorded.envelope, Envelope):
            return
        for fact in recorded.facts:
            if isinstance(fact, CallRequested):
                self._asked[recorded.envelope.id] = fact
                if self._holds_next:
                    self._hold(fact, self._world.log.handed[recorded.envelope.id].by)
            elif isinstance(fact, ContactErased | CampaignErased) and self._no_dialer():
                self._world.story.danger("erased while no dialer ran")
                if (fact.campaign_id, getattr(fact, "contact_id", 0)) in self._down:
                    self._world.story.danger("erased while called, and no dialer ran")

    def _not_read_back(self) -> set[tuple[int, int]]:
        """Return for whom a call is permitted, while who asked for it does not know yet."""
        log, found = self._world.log, set[tuple[int, int]]()
        for record_id, fact in list(self._asked.items()):
            if (log.handed[record_id].by.name, record_id) in log.given:
                del self._asked[record_id]
            else:
                found.add((fact.campaign_id, fact.contact_id))
        return found

    def dies(self, process: Process) -> None:
        """Let a process make no further step."""
        self._world.story.tell(process.name, "dies before the key is deleted")
        self._world.story.danger("an erasure died between fact and key")
        process.dead, process.died_at = True, self._world.loop.true()
        process.hold()


class MortalKeys(ListKeys):
    """The keys of a process that dies when it is about to delete one."""

    def __init__(self, keys: ListKeys, erasers: Erasers, process: Process) -> None:
        super().__init__(keys.store, keys._place)
        self._erasers, self._process = erasers, process

    async def forget(self, key_id: str, rows: Collection[int] | None = None) -> bool:
        """Die."""
        self._erasers.dies(self._process)
        await asyncio.get_running_loop().create_future()
        raise AssertionError("it is dead")


def _contacts(api: CommandApi) -> list[tuple[Campaign, Contact]]:
    return [
        (campaign, api.contacts.get(campaign, number))
        for campaign in api.campaigns.by_id.values()
        for number in range(1, campaign.contacts_end + 1)
    ]
