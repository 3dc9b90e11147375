"""How many calls of a campaign have begun lately, by its executions. Knows no HTTP."""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from campaigns.domain.campaign import Campaign
from projector.store.tables import EXECUTIONS
from projector.store.views import EXECUTION

LATELY = timedelta(minutes=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


def calls_lately(tx: Connection, campaign: Campaign, now: datetime) -> int:
    """Return how many calls began within the last minute.

    Executions are numbered in the order in which they began, so the first that is recent enough is
    looked for by halves: of ten million, twenty-four are read.
    """
    last = campaign.executions

    def began(execution_id: int) -> datetime:
        asked = select(EXECUTIONS.c.state).where(
            EXECUTIONS.c.campaign_id == campaign.campaign_id,
            EXECUTIONS.c.execution_id == execution_id,
        )
        state = tx.execute(asked).scalar()
        if state is None:
            return _NEVER
        return EXECUTION.load(state, f"execution of {campaign.campaign_id}").executed_at

    if not last or began(last) < now - LATELY:
        return 0
    return last - bisect_left(range(1, last + 1), now - LATELY, key=began)
