"""Each mechanism is needed: taken away, the auditor notices, within the seeds that CI runs."""

import pytest

from tests.simulation.mutating import SEEDS, catchers, known
from tests.simulation.taken_away import MUTATIONS


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_auditor_misses(name: str) -> None:
    first = known(name)  # What caught it when the page was written most often does so now.
    others = [seed for seed in SEEDS if seed not in first]
    assert next(catchers(name, [*first, *others]), None), f"nobody noticed: {name}"


def test_the_page_names_every_mutation() -> None:
    for name in MUTATIONS:
        assert known(name), f"{name}: expected in docs/how-we-know.md, with the seeds that catch it"
