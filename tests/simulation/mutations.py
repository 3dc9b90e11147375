"""Mechanisms of rule, commands and barrier, taken away one at a time: the auditor must notice."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from msgspec import structs

import campaigns.log.digest
import campaigns.log.port
import campaigns.log.reader
import campaigns.log.residence
import campaigns.log.writer
import command_api.http.replies
import command_api.idempotency
import dialer.decisions.lifecycle
import dialer.reactor.reactor
from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import UNCHANGED
from campaigns.domain.facts import AnyInstallationFact, CallRequested
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.domain.values.stream_names import campaign_stream, contact_stream
from campaigns.log.reader import Reader
from campaigns.log.writer import Writer
from campaigns.process.errors import LogUnavailableError
from campaigns.records.installation import Installation
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition
from command_api.barrier import Barrier, Settled
from command_api.service import CommandApi
from dialer.calls.call_states import Use
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Clocks
from dialer.reactions import Reactions
from tests.simulation.faulty_log import LogPort
from tests.simulation.removal import Swaps, mutation

# Any: what these modules have imported is swapped where they use it.
reactor_module: Any = dialer.reactor.reactor
lifecycle_module: Any = dialer.decisions.lifecycle
handling_module: Any = campaigns.log.writer
answering_module: Any = command_api.http.replies


# -- the rule, and how one writes by it ------------------------------------------------------------


@mutation
def no_guard() -> Swaps:
    """A request rests on its contact alone, not on the campaign."""
    own = lambda command: (contact_stream(command.campaign_id, command.contact_id),)  # noqa: E731
    decider = replace(reactor_module.REQUEST_CALL, streams=own)
    return [(reactor_module, "REQUEST_CALL", decider)]


@mutation
def no_stream_versions() -> Swaps:
    """Services take every record for accepted."""

    class Credulous(Ledger):
        def admit(self, envelope: Envelope) -> bool:
            super().admit(envelope)
            return True

    def credulous(self: Reader, partition: Partition) -> Ledger:
        return self.ledgers.setdefault(partition, Credulous())

    return [(Reader, "ledger", credulous)]


@mutation
def no_check_of_the_own_record() -> Swaps:
    """A dialer rings as soon as it has sent its request, without reading it back."""
    perform = Reactions._perform

    def eager(self: Reactions, effect: Effect, clocks: Clocks) -> None:
        perform(self, effect, clocks)
        if isinstance(effect, Offer) and isinstance(effect.facts[0], CallRequested):
            call = self.state.calls[effect.record_id]
            call.use = Use.PLACING
            self._place(effect.record_id)

    return [(Reactions, "_perform", eager)]


@mutation
def a_copy_is_taken_for_the_log() -> Swaps:
    """A log is at home wherever it is opened."""
    return [(campaigns.log.residence, "elsewhere", lambda installation, place: None)]


@mutation
def completion_without_its_guard() -> Swaps:
    """A completion rests on the campaign alone, not on which lists count."""
    own = lambda command: (campaign_stream(command.campaign_id),)  # noqa: E731
    return [(lifecycle_module, "COMPLETE", replace(lifecycle_module.COMPLETE, streams=own))]


@mutation
def no_catching_up_before_a_no() -> Swaps:
    """A command is refused on what the instance happens to know."""

    async def at_once(self: Reader, partitions: Any, *, within_s: float) -> None:
        return

    return [(Reader, "catch_up", at_once)]


@mutation
def already_so_is_answered_without_catching_up() -> Swaps:
    """A command that changes nothing is answered from what the instance happens to know."""
    handle = Writer.handle

    async def hasty(self: Writer[Any], decider: Any, command: Any, *origin: Any, **how: Any) -> Any:
        if decider.decide(decider.read(self.folded, command), command) == UNCHANGED:
            return UNCHANGED
        return await handle(self, decider, command, *origin, **how)

    return [(Writer, "handle", hasty)]


@mutation
def no_keys() -> Swaps:
    """An Idempotency-Key is not looked for."""
    return [
        (command_api.idempotency.IdempotencyKeys, "earlier", lambda self, campaign_id, given: None)
    ]


@mutation
def what_was_folded_is_not_compared() -> Swaps:
    """A start continues after its checkpoint, whatever the log holds there now."""
    unseen = lambda chain, ledger, skipped, recorded: None  # noqa: E731
    return [(campaigns.log.digest, "compare", unseen), (campaigns.log.reader, "compare", unseen)]


@mutation
def who_follows_looks_ahead_alone() -> Swaps:
    """A follower takes what comes next, whatever became of what it had before."""
    return [
        (campaigns.log.port, "refuse_other", lambda partition, last, found: None),
        (campaigns.log.reader, "compare", lambda chain, ledger, skipped, recorded: None),
    ]


# -- what holds for the whole installation ---------------------------------------------------------


@mutation
def a_level_is_taken_for_raised() -> Swaps:
    """Services write the newest forms at once, whatever the log says."""
    begin = Reader.begin

    async def eager(self: Reader, installation: Installation | None = None) -> None:
        await begin(self, installation)
        self.installation.level = LEVEL_NEWEST

    return [(Reader, "begin", eager)]


@mutation
def a_skipped_record_counts_where_it_was_read() -> Swaps:
    """A running service keeps what it has folded, although one of the records was skipped."""
    return [(campaigns.log.reader, "RecordSkipped", Envelope)]  # Nothing is one.


@mutation
def stores_keep_what_was_skipped() -> Swaps:
    """A store is gone on with, though it has passed a record that was skipped since."""
    return [(Installation, "unlike", lambda self, marks, positions: False)]


@mutation
def nobody_passes_over_what_was_skipped() -> Swaps:
    """A record that is skipped stops its readers all the same."""
    take = Installation.take

    def deaf(self: Installation, recorded: Recorded) -> tuple[AnyInstallationFact, ...]:
        decided = take(self, recorded)
        self.skipped.clear()
        return decided

    return [(Installation, "take", deaf)]


# -- the barrier -----------------------------------------------------------------------------------


@mutation
def no_barrier() -> Swaps:
    """A pause is answered when it is accepted."""

    async def at_once(self: Barrier, campaign: Campaign, position: int) -> Settled:
        return Settled(0.0, 0)

    return [(Barrier, "passed", at_once)]


@mutation
def a_second_pause_is_refused_without_the_barrier() -> Swaps:
    """A 400 to a pause of what is paused is answered at once."""
    settled = CommandApi.settled

    async def at_once(self: CommandApi, campaign_id: int, position: int | None = None) -> Settled:
        return Settled(0.0, 0) if position is None else await settled(self, campaign_id, position)

    return [(CommandApi, "settled", at_once)]


@mutation
def the_barrier_waits_by_its_own_terms() -> Swaps:
    """A permission is waited for by the service's own settings, not by the terms it carries."""
    passed = Barrier.passed

    async def own(self: Barrier, campaign: Campaign, position: int) -> Settled:
        return await passed(self, _with_terms(campaign, 0.6, 0.1), position)

    return [(Barrier, "passed", own)]


@mutation
def the_barrier_has_no_bound() -> Swaps:
    """The barrier waits without a limit for a permission that is not resolved."""
    passed = Barrier.passed

    async def forever(self: Barrier, campaign: Campaign, position: int) -> Settled:
        return await passed(self, _with_terms(campaign, 1e6, 1e6), position)

    return [(Barrier, "passed", forever)]


@mutation
def the_receipt_is_strict_whatever_was_permitted() -> Swaps:
    """A receipt does not look at the terms of the run's permissions."""
    shape = answering_module.receipt_shape
    strict = lambda *of: {**shape(*of), "guarantee": "strict"}  # noqa: E731
    return [(answering_module, "receipt_shape", strict)]


@mutation
def nobody_hears_that_the_brokers_refuse() -> Swaps:
    """A record that will never be there is waited for as one that may be."""
    append = LogPort.append

    async def deaf(self: LogPort, partition: Any, record: Any, key: int, told: Any = None) -> None:
        await append(self, partition, record, key, told and (lambda no: None))

    return [(LogPort, "append", deaf)]


@mutation
def what_is_not_read_back_is_said_not_to_count() -> Swaps:
    """A record whose fate is not known is told as one that the brokers have refused."""
    return [(handling_module, "OutcomeUnknownError", LogUnavailableError)]


def _with_terms(campaign: Campaign, lease_s: float, carrier_timeout_s: float) -> Any:
    calls = [
        structs.replace(call, lease_s=lease_s, carrier_timeout_s=carrier_timeout_s)
        for call in campaign.permissions()
    ]
    return SimpleNamespace(campaign_id=campaign.campaign_id, permissions=lambda: calls)
