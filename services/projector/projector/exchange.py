"""Takes views that were rebuilt beside those in service into service, while these serve (ADR-0035).

The rebuilt views are folded to where those in service are, beside the event loop. Then, between two
batches, the last records are folded, both are compared by position and digest, the stores are
exchanged in one step, and memory goes on with the campaigns of the rebuilt ones. A query waits for
that step and sees the same position or a later one.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from campaigns.domain.facts import AnyKeyFact
from campaigns.process.errors import OperatingError, PartRunningError, StoreUnavailableError
from projector.advance import Views
from projector.commits import Commits
from projector.rebuild import fold_to, restored
from projector.store.checkpoints import places
from projector.store.publication import stored_publication
from projector.store.ready_mark import is_ready
from projector.store.replacement import Replacement
from projector.store.view_store import ViewStore

logger = logging.getLogger(__name__)

ROUNDS = 3  # Of folding beside the batches; the views in service move on meanwhile.
READERS_S = 2.0  # How long an exchange waits for the reads in progress, and holds others back.
RETRY_MAX_S = 60.0  # Between two tries that did not succeed.


@dataclass
class Exchange:
    """Looks for rebuilt views that are ready, and exchanges those in service for them."""

    views: Views
    commits: Commits
    replacement: Replacement
    check_s: float  # Between two looks.
    on_publish_again: Callable[[], None] = lambda: None
    _told: set[str] = field(default_factory=set)  # What was said already, once.

    async def run(self) -> None:
        """Look and exchange until cancelled."""
        wait_s = self.check_s
        while True:
            await asyncio.sleep(wait_s)
            if await self.look():
                wait_s = self.check_s
            else:
                wait_s = min(2 * wait_s, max(RETRY_MAX_S, self.check_s))

    async def look(self) -> bool:
        """Exchange the views if others are ready. False: they are, and could not be taken yet."""
        try:
            if not await asyncio.to_thread(lambda: self.replacement.ready):
                self._told.clear()
                return True
            with ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, self.replacement.held())
                await self._take_over()
        except PartRunningError:
            return True  # They are being rebuilt once more.
        except OperatingError as exc:
            self._say(f"the rebuilt views are not in service yet, it is tried again: {exc}")
            return False
        return True

    def _say(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning("%s", sentence)

    async def _take_over(self) -> None:
        if not await asyncio.to_thread(self._fits):
            self._say(
                "the rebuilt views are of another log or build: a projector of that build takes"
                " them at its start"
            )
            return
        store = self.replacement.opened()
        try:
            await self._exchanged(store)
        finally:
            store.close()

    def _fits(self) -> bool:
        present = self.replacement.present()
        try:
            with present.reading() as tx:
                return present.is_of(tx, self.views.log.id)
        finally:
            present.disconnect()

    async def _exchanged(self, store: ViewStore) -> None:
        keys = list[AnyKeyFact]()
        beside = await restored(
            store,
            self.views.log,
            self.views.reader.installation,
            publishes=self.views.publishes,
            on_key=keys.append,
        )
        if not await asyncio.to_thread(is_ready, store):
            logger.warning("the rebuilt views do not fit any more: they are discarded")
            store.disconnect()
            await asyncio.to_thread(self.replacement.discard)
            return
        again = await asyncio.to_thread(self._again, store)
        if not again:
            beside.published |= self.views.published
        folding = Commits(beside, 0)
        folding.begin()
        beside.reader.rest = folding.flush  # Each step is folded in slices and stored in a thread.
        try:
            for _ in range(ROUNDS):
                await fold_to(beside, dict(self.views.reader.visible))
            async with self.commits.rest():
                await fold_to(beside, dict(self.views.reader.visible))
                await asyncio.to_thread(self._swap, store)
                self.views.take_over(beside, keys, again)
                if again:
                    self.on_publish_again()
        finally:
            folding.close()
        logger.info("the rebuilt views are in service")

    def _again(self, store: ViewStore) -> bool:
        with store.reading() as tx:
            return bool(stored_publication(tx).again)

    def _swap(self, store: ViewStore) -> None:
        """Exchange the stores; both are at rest, and at the same position.

        Raises:
            StoreUnavailableError: it is not possible now; nothing was exchanged.

        """
        serving = self.views.store
        with serving.reading() as ours, store.reading() as theirs:
            differing = set(places(ours).items()) ^ set(places(theirs).items())
        if differing:
            raise StoreUnavailableError(f"the rebuilt views are elsewhere: {sorted(differing)}")
        store.disconnect()
        serving.exchange(self.replacement.swap, READERS_S)
