"""Calls about which nothing could be decided or recorded: logged once each, and counted."""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from prometheus_client import Counter

from campaigns.process.metrics import REGISTRY
from dialer.reactor.state import Undecided

TOLD_MAX = 1_000  # Calls whose traceback was logged; beyond it the oldest may be logged again.
CALLS_UNDECIDED = Counter(
    "dialgate_calls_undecided_total",
    "Calls about which something could not be decided or recorded; they end as unknown.",
    registry=REGISTRY,
)
logger = logging.getLogger(__name__)


class UndecidableCalls:
    """The undecidable calls since the dialer's start."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, None] = OrderedDict()
        self._calls = 0
        self._last: Undecided | None = None

    def take(self, undecided: list[Undecided]) -> None:
        """Log calls that are new, and empty the list."""
        for one in undecided:
            self._last = one
            if one.call_id not in self._told:
                self._calls += 1
                self._told[one.call_id] = None
                CALLS_UNDECIDED.inc()
                logger.error(
                    "call %s of contact %d/%d: nothing can be decided: %r",
                    *(one.call_id, one.campaign_id, one.contact_id, one.failure),
                    exc_info=one.failure,
                )
                if len(self._told) > TOLD_MAX:
                    self._told.popitem(last=False)
        undecided.clear()

    def remarks(self) -> Sequence[str]:
        """Return a sentence for `/health/ready`, if there was such a call."""
        if (last := self._last) is None:
            return ()
        return (
            f"dialer: nothing could be decided about {self._calls} calls since the start, which end"
            f" as unknown; the last one is of contact {last.contact_id} of campaign"
            f" {last.campaign_id}: {last.failure!r:.200}",
        )
