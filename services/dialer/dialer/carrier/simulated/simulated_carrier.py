"""The simulated carrier: it behaves like a carrier, but rings no phone. In one event loop.

It serves people who try the product, and auditors. It never de-duplicates: a second `place` of a
call rings again and is recorded, so that "rung twice" is visible. Its rings are kept in carrier.db;
after a close or a kill, the next `open` continues them.

Each ring takes these steps in order: carrier.db says *taken*; set-up; the line in the carrier log;
carrier.db says *ringing*; the answer to `place`. One turn of the event loop is one transaction.
"""

import asyncio
import logging
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.watch import Watch
from dialer.carrier.port import CallOrder, Ended, Found, NotFound, Placed, Report
from dialer.carrier.simulated.outcome import CarrierTerms, outcome
from dialer.carrier.simulated.ring_log import RingLog
from dialer.carrier.simulated.rings import (
    Fates,
    Ring,
    RingFile,
    RingState,
    nanoseconds,
    seconds_left,
)  # fmt: skip
from dialer.carrier.simulated.waiters import Waiters

SAVE_AGAIN_S = 0.5  # After carrier.db could not be written.

logger = logging.getLogger(__name__)


class SimulatedCarrier:
    """The carrier port over a file. Times of day come from `clock`, durations from the loop."""

    name = "simulated"

    def __init__(
        self,
        path: Path | str,
        terms: CarrierTerms,
        clock: Clock,
        carrier_log: Path | None = None,
        *,
        placing_max: int = 100,
        fates: Fates | None = None,
    ) -> None:
        """Keep rings in `path` (":memory:" for none); with `carrier_log`, a line for each."""
        self.terms = terms
        self.refuses_late, self.clocks_agree = terms.refuses_late, True
        self.clock_difference_s = 0.0  # It uses our clock.
        self.lookup_lag_s: float | None = terms.lookup_lag_s
        self.silence_s = terms.silence_s
        self.placing_max = placing_max
        self.id: str | None = None  # carrier.db's own, once it is open.
        self._path, self._clock, self._log_path = path, clock, carrier_log
        self._past: bytes | None = None  # A file in memory, while closed.
        self._file: RingFile | None = None  # None: closed.
        self._report: Report | None = None
        self._watch = Watch()  # Of all timers.
        self._open_rings: dict[str, dict[int, Ring]] = {}  # Call id → number → ring.
        self._dirty: dict[int, Ring] = {}
        self._fates = fates or (lambda call: outcome(terms, call.call_id))  # Drawn by the seed.
        self._waiters = Waiters(terms, self._fates)
        self._timers: dict[int, asyncio.TimerHandle] = {}  # Each open ring has at most one.
        self._hidden: set[int] = set()  # Too young to be found.
        self._save_timer: asyncio.Handle | None = None

    async def open(self, report: Report) -> None:
        """Continue the calls in progress. If it is open already, only `report` is replaced.

        Raises:
            CarrierUnavailableError: another carrier has the file.

        """
        self._report = report
        if self._file is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._file = RingFile(self._path, self._past)
        self.id, self.homes = self._file.id, self._file.homes
        self._log = RingLog(self._log_path, self._file.id)
        self._number = self._file.last_number
        rings = self._file.open_rings()
        begun = self._log.began_at_ns([ring for ring in rings if ring.state is RingState.TAKEN])
        for ring in rings:
            self._open_rings.setdefault(ring.call.call_id, {})[ring.number] = ring
            if ring.number in begun:  # Killed between its line and carrier.db.
                ring.state, ring.began_at_ns = RingState.RINGING, begun[ring.number]
                self._change(ring)
            else:
                self._go_on(ring)

    async def watch(self) -> NoReturn:
        """Wait until a timer fails, and raise its exception: a ring would never end."""
        await self._watch.wait()

    async def close(self) -> None:
        """Stop the timers. Calls in progress continue at the next `open`."""
        if self._file is None:
            return
        self._save()
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None
        for timer in self._timers.values():
            timer.cancel()
        self._waiters.close()
        for kept in (self._open_rings, self._dirty, self._timers, self._hidden):
            kept.clear()
        self._past = self._file.close()
        self._log.close()
        self._file = None

    async def place(
        self, call: CallOrder, ring_by: datetime, callback_url: str | None = None
    ) -> Placed:
        """Ring a contact, even if it was rung before. If cancelled, the ring continues.

        Raises:
            CarrierUnavailableError: closed, or the answer was lost: it may ring all the same.

        """
        self._opened()
        if self._fates(call).silent:
            return await self._waiters.hold()
        self._number += 1
        taken_at_ns = nanoseconds(self._clock.now())
        ring = Ring(self._number, call, nanoseconds(ring_by), callback_url, taken_at_ns)
        self._open_rings.setdefault(call.call_id, {})[ring.number] = ring
        waiter = self._waiters.expect(ring)
        if self.terms.lookup_lag_s:
            self._hidden.add(ring.number)
            self._loop.call_later(self.terms.lookup_lag_s, self._hidden.discard, ring.number)
        self._change(ring)
        return await waiter

    async def look_up(self, call_id: str) -> Found:
        """Return what became of a call: its latest ring, if it has several. Raises: see `_kept`."""
        found = (one.found() for one in self._kept(call_id) if one.number not in self._hidden)
        return next(found, NotFound())

    async def hang_up(self, call_id: str) -> None:
        """End every open ring of a call; one that has not begun never will. Raises: see `_kept`."""
        self._opened()
        now_ns = nanoseconds(self._clock.now())
        for ring in tuple(self._open_rings.get(call_id, {}).values()):
            if ring.open:
                ring.hang_up(self._fates(ring.call), now_ns)
                self._change(ring)
        self._kept(call_id)

    def callback_url(self, call_id: str) -> str | None:
        """Return the callback URL of a call. None: there is none. Raises: see `_kept`."""
        return next((ring.callback_url for ring in self._kept(call_id)), None)

    def _opened(self) -> RingFile:
        if self._file is None:
            raise CarrierUnavailableError("the carrier is closed")
        return self._file

    def _kept(self, call_id: str) -> list[Ring]:
        """Return a call's rings, newest first, as carrier.db has them.

        Raises:
            CarrierUnavailableError: closed, or carrier.db cannot be written.

        """
        file = self._opened()
        self._save()
        if self._dirty:
            raise CarrierUnavailableError("carrier.db cannot be written")
        return list(file.rings_of(call_id))

    def _change(self, ring: Ring) -> None:
        """Save a ring's new state, then act on it."""
        self._dirty[ring.number] = ring
        if self._save_timer is None:
            self._save_timer = self._loop.call_soon(self._watch.guarded(self._save))

    def _save(self) -> None:
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None
        if not self._dirty:
            return
        try:
            self._opened().save(self._dirty.values())
        except sqlite3.OperationalError as exc:
            logger.warning("carrier.db cannot be written, trying again: %s", exc)
            again = self._watch.guarded(self._save)
            self._save_timer = self._loop.call_later(SAVE_AGAIN_S, again)
            return
        rings, self._dirty = self._dirty, {}
        for ring in rings.values():
            self._waiters.answer(ring)
            self._go_on(ring)

    def _go_on(self, ring: Ring) -> None:
        """Take the next step from the state that carrier.db has."""
        if timer := self._timers.pop(ring.number, None):
            timer.cancel()
        now_ns = nanoseconds(self._clock.now())
        left_s = seconds_left(ring, self.terms.setup_s, self._fates(ring.call), now_ns)
        if left_s is None:
            self._forget(ring)
            return
        step = self._begin if ring.state is RingState.TAKEN else self._end
        guarded = self._watch.guarded(step)
        self._timers[ring.number] = self._loop.call_later(max(0.0, left_s), guarded, ring)

    def _begin(self, ring: Ring) -> None:
        """Set-up is over: ring, or say why not."""
        if ring.state is not RingState.TAKEN:  # Hung up, and carrier.db cannot be written.
            return
        now_ns = nanoseconds(self._clock.now())
        if self._fates(ring.call).refused:
            ring.state, ring.error = RingState.NO_RING, "refused by the carrier"
        elif self.terms.refuses_late and now_ns > ring.ring_by_ns:
            ring.state = RingState.REFUSED_LATE
        elif not self._log.write(ring, now_ns):
            ring.state, ring.error = RingState.NO_RING, "the carrier log cannot be written"
        else:
            ring.state, ring.began_at_ns = RingState.RINGING, now_ns
        self._change(ring)

    def _end(self, ring: Ring) -> None:
        if ring.state is not RingState.RINGING:
            return
        ring.end(self._fates(ring.call))
        self._change(ring)

    def _forget(self, ring: Ring) -> None:
        """Report a ring that is over, and keep it in carrier.db alone."""
        call_id = ring.call.call_id
        rings = self._open_rings.get(call_id, {})
        if rings.pop(ring.number, None) is None:
            return
        if not rings:
            del self._open_rings[call_id]
        found = ring.found()
        lost = self._fates(ring.call).report_lost
        if isinstance(found, Ended) and not lost and self._report is not None:
            self._loop.call_soon(self._watch.guarded(self._report), call_id, found)
