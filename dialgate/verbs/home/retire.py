"""`dialgate retire`: makes a log dial no more, since a copy of it takes over (ADR-0040)."""

from uuid import uuid4

import orjson

from campaigns.records import home
from dialgate.settings import ProcessSettings
from dialgate.verbs.home.home_change import Yes, confirmed, open_home
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import AsJson, checked_settings, run_verb


def command(yes: Yes = False, as_json: AsJson = False) -> None:
    """Let this log take no more changes and dial no more: its home is nowhere.

    Calls in progress end as they would. `dialgate adopt` takes it back.
    """
    run_verb(retire(checked_settings(), yes=yes, as_json=as_json))


async def retire(settings: ProcessSettings, *, yes: bool, as_json: bool) -> None:
    """Choose that the log is at home nowhere. Idempotent.

    Raises:
        MisusedError: it is not confirmed, or the log's level knows no homes.
        LogUnavailableError: there is no log, or it does not answer.

    """
    async with open_home(settings) as opened:
        name = opened.log.place.name
        chosen = home.retire(
            opened.installation, opened.log.place, "retired", opened.clock.now(), uuid4().hex
        )
        if chosen is not None:
            confirmed(f"Shall {name} dial no more?", yes=yes)
            await opened.decide("retire", chosen)
    if as_json:
        say(orjson.dumps({"retired": chosen is not None, "place": name}).decode())
    elif chosen is None:
        say(f"nothing to do: {name} does not dial")
    else:
        say(f"{name} takes no changes and does not dial from now on")
