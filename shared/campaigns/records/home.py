"""Where a log is at home: a log that is opened elsewhere is a copy, and never dials. Pure.

The home is a fact in installation.records, so each copy of the log names it. What a place is told
by (its traits) is no part of the log, so no copy has it (ADR-0040).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.facts import HomeChosen
from campaigns.process.errors import ReadOnlyError
from campaigns.records.installation import Installation

ADOPT = "`dialgate adopt` makes it the one that does"


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a log is. `traits`: what a copy of it does not share, by kind."""

    traits: Mapping[str, str]
    name: str  # For people.

    def is_at(self, home: Mapping[str, str]) -> bool:
        """Say whether these are a home's traits: those that both have are equal, and one is."""
        both = self.traits.keys() & home.keys()
        return bool(both) and all(self.traits[kind] == home[kind] for kind in both)


def elsewhere(installation: Installation, place: LogPlace) -> HomeChosen | None:
    """Return the home of a log that is opened at another place; None: it is at home, or has none.

    A log below level 4 has no home yet.
    """
    home = installation.home
    return None if home is None or place.is_at(home.traits) else home


def read_only(home: HomeChosen) -> str:
    """Return why a log that is not at its home is only read."""
    if not home.traits:
        return f"this log takes no changes and does not dial ({home.why}): {ADOPT}"
    return (
        f"this is a copy of the log at {home.place}, so it takes no changes and does not dial:"
        f" {ADOPT}"
    )


def refuse_copy(installation: Installation, place: LogPlace) -> None:
    """Take no change of a log that is not at home.

    Raises:
        ReadOnlyError: it is a copy, or was retired; nothing was recorded.

    """
    if (home := elsewhere(installation, place)) is not None:
        raise ReadOnlyError(read_only(home))


def first_home(
    installation: Installation, place: LogPlace, now: datetime, claim: str
) -> HomeChosen | None:
    """Decide that a log without a home is at home here; None: it has one, or cannot have one.

    `claim`: a random id, of this choice alone.
    """
    if installation.home is not None or installation.level < HomeChosen.SINCE:
        return None
    return _chosen(installation, place.traits, place.name, "it was opened here first", now, claim)


def adopt(
    installation: Installation, place: LogPlace, now: datetime, claim: str
) -> HomeChosen | None:
    """Decide that a log is at home here from now on; None: it is. `claim`: as above."""
    if installation.home is not None and place.is_at(installation.home.traits):
        return None
    return _chosen(installation, place.traits, place.name, "adopted", now, claim)


def retire(
    installation: Installation,
    place: LogPlace,
    why: str,
    now: datetime,
    claim: str,
    generation: int = 0,
) -> HomeChosen | None:
    """Decide that a log is at home nowhere; None: it is not at home here. `claim`: as above.

    `generation`: that of the home which has taken over, if it is known.
    """
    if installation.home is None or elsewhere(installation, place) is not None:
        return None
    return _chosen(installation, {}, place.name, why, now, claim, generation)


def _chosen(
    installation: Installation,
    traits: Mapping[str, str],
    name: str,
    why: str,
    now: datetime,
    claim: str,
    generation: int = 0,
) -> HomeChosen:
    before = installation.home
    return HomeChosen(
        installation=before.installation if before else claim,
        generation=max(generation, before.generation + 1 if before else 1),
        claim=claim,
        traits=dict(traits),
        place=name,
        why=why,
        chosen_at=now,
    )
