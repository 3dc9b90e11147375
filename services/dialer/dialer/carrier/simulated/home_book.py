"""Which home of each log places calls at a simulated carrier: a table of carrier.db."""

import sqlite3
from dataclasses import astuple, replace

from dialer.carrier.home_keeper import DialingHome, refusal

_TABLE = (
    "create table if not exists homes (installation text primary key, generation integer not null,"
    " claim text not null, process integer not null, records integer not null)"
)


class HomeBook:
    """The home that was taken last, of each installation. Kept before the answer is given."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(_TABLE)
        rows = db.execute("select * from homes")
        self._known = {row[0]: DialingHome(*row) for row in rows}

    def generation(self, installation: str) -> int:
        """Return the generation of an installation's home; 0: none is known."""
        known = self._known.get(installation)
        return known.generation if known else 0

    def refusal(self, asks: DialingHome, *, begins: bool) -> str | None:
        """Return why orders for a home are refused; None: they are taken, and that is kept."""
        known = self._known.get(asks.installation)
        if (why := refusal(known, asks, begins=begins)) is not None:
            return why
        if known is not None and known.claim == asks.claim:
            asks = replace(asks, records=max(asks.records, known.records))
        if asks != known:
            self._db.execute("replace into homes values (?, ?, ?, ?, ?)", astuple(asks))
            self._known[asks.installation] = asks
        return None
