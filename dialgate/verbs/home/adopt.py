"""`dialgate adopt`: makes a copied log the one that dials (ADR-0040)."""

from uuid import uuid4

import orjson

from campaigns.records import home
from dialgate.settings import ProcessSettings
from dialgate.verbs.home.home_change import Yes, confirmed, last_record, open_home
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import AsJson, checked_settings, run_verb

WARNING = (
    "What the other has done since is not in this copy: whoever was called since then may be called"
    " again. Stop the other first, or run `dialgate retire` there."
)


def command(yes: Yes = False, as_json: AsJson = False) -> None:
    """Let a copied log dial from now on: its home is here.

    Says which log it was copied from. Dialgate may run meanwhile, and begins to dial at once.
    """
    run_verb(adopt(checked_settings(), yes=yes, as_json=as_json))


async def adopt(settings: ProcessSettings, *, yes: bool, as_json: bool) -> None:
    """Choose this place as the log's home, and print which one it had. Idempotent.

    Raises:
        MisusedError: it is not confirmed, or the log's level knows no homes.
        LogUnavailableError: there is no log, or it does not answer.

    """
    async with open_home(settings) as opened:
        log, before = opened.log, opened.installation.home
        chosen = home.adopt(opened.installation, log.place, opened.clock.now(), uuid4().hex)
        last = await last_record(log)
        if chosen is not None and before is not None:
            whose = "a copy of the log at" if before.traits else "a log that was retired at"
            complain(f"this is {whose} {before.place} ({before.why})")
            complain(f"its last record is {last.place} of {last.time}" if last else "it is empty")
            complain(WARNING)
            confirmed(f"Shall {log.place.name} dial from now on?", yes=yes)
        found = before if chosen is None else await opened.decide("adopt", chosen)
    assert found is not None, "it is at home here"
    if as_json:
        shape = {
            "adopted": chosen is not None,
            "place": found.place,
            "generation": found.generation,
            "copied_from": None if chosen is None or before is None else before.place,
            "last_record": {"position": last.place, "time": last.time} if last else None,
        }
        say(orjson.dumps(shape).decode())
    elif chosen is None:
        say(f"nothing to do: the log is at home at {found.place}")
    else:
        say(f"the log is at home at {found.place}: it dials from now on")
