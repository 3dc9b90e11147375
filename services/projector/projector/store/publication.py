"""What a store knows of campaign.events: which topic it is, and how far it was published to.

Rows of ABOUT, moved in the transaction that deletes what was published from the outbox, so that
what is in neither is missing: then the topic was made anew, or has lost its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from projector.projections.changes import EventPlace
from projector.store.database import Database
from projector.store.tables import ABOUT

_TOPIC = "events"  # The row with the topic's id.
_AT = "events/"  # The rows of its partitions.
_CUT = "events cut/"
_AGAIN = "again"


@dataclass(frozen=True)
class Publication:
    """As it was stored last."""

    topic_id: str = ""  # Of the broker. Empty: it has none, or nothing was published.
    places: Mapping[int, EventPlace] = field(default_factory=dict)  # Partition → the last event.
    again: frozenset[int] = frozenset()  # Partitions to publish from the beginning.
    cuts: Mapping[int, str] = field(default_factory=dict)  # Partition → why it stands still.


def publication_of(about: Mapping[str, str]) -> Publication:
    """Read it from the content of ABOUT."""
    rows, cuts = _numbered(about, _AT), _numbered(about, _CUT)
    places = {number: _place(text) for number, text in rows.items() if text != _AGAIN}
    again = frozenset(rows.keys() - places.keys())
    return Publication(about.get(_TOPIC, ""), places, again, cuts)


def _numbered(about: Mapping[str, str], prefix: str) -> dict[int, str]:
    return {
        int(name.removeprefix(prefix)): value
        for name, value in about.items()
        if name.startswith(prefix)
    }


def stored_publication(tx: Connection) -> Publication:
    """Return what the store has."""
    return publication_of(dict(tx.execute(select(ABOUT.c.name, ABOUT.c.value)).all()))


def _place(text: str) -> EventPlace:
    position, _, n = text.partition("/")
    return int(position), int(n)


def store_publication(store: Database, tx: Connection, found: Publication) -> None:
    """Store it; partitions that it does not name stay."""
    rows = {_TOPIC: found.topic_id} if found.topic_id else {}
    rows |= {f"{_AT}{number}": f"{place[0]}/{place[1]}" for number, place in found.places.items()}
    rows |= {f"{_AT}{number}": _AGAIN for number in found.again}
    rows |= {f"{_CUT}{number}": why for number, why in found.cuts.items()}
    store.put(tx, ABOUT, [{"name": name, "value": value} for name, value in rows.items()])
