"""The mark by which rebuilt views say that they may be taken into service."""

from sqlalchemy import select

from projector.store.present_store import PresentStore
from projector.store.tables import ABOUT
from projector.store.view_store import ViewStore

_READY = {"name": "ready", "value": "yes"}  # A row of ABOUT.


def mark_ready(store: ViewStore) -> None:
    """Let the projector take a replacement into service."""
    with store.writing() as tx:
        store.put(tx, ABOUT, [_READY])


def is_ready(store: PresentStore | ViewStore) -> bool:
    """Say whether a store is so marked."""
    with store.reading() as tx:
        asked = select(ABOUT.c.value).where(ABOUT.c.name == _READY["name"])
        return tx.execute(asked).scalar() == _READY["value"]


def looks_ready(store: PresentStore) -> bool:
    """Say whether a store is there and so marked; it is disconnected."""
    try:
        return store.exists and is_ready(store)
    finally:
        store.disconnect()
