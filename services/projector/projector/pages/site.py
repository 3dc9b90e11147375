"""All pages of a projector: their routes."""

from collections.abc import Sequence

from fastapi import APIRouter

from projector.feeds.socket import Feeds
from projector.pages import (
    campaign_details,
    campaign_list,
    campaign_page,
    contact_page,
    sign_in,
)
from projector.pages.broadcast import Broadcasts
from projector.pages.chronicle import Chronicles
from projector.pages.dashboard import Dashboard


def routers(feeds: Feeds, broadcasts: Broadcasts) -> Sequence[APIRouter]:
    """Return the routers of all pages, bound to one instance."""
    queries = feeds.queries
    board = Dashboard(queries, feeds.hub, broadcasts, Chronicles(queries))
    pages = (campaign_list, campaign_page, campaign_details, contact_page)
    return [sign_in.router(feeds), *(one.router(board) for one in pages)]
