"""Each mechanism is needed: taken away, the auditor notices, within the seeds that CI runs."""

import pytest

from tests.simulation.beyond_evidence import BEYOND
from tests.simulation.mutation_table import SEEDS, catchers, known
from tests.simulation.plan import draw
from tests.simulation.removal import MUTATIONS
from tests.simulation.verdicts import judge, shrink


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_auditor_misses(name: str) -> None:
    """So does `dialgate verify`, by log and rings alone, unless what breaks is in neither."""
    first = known(name)  # What caught it when the page was written most often does so now.
    others = [seed for seed in SEEDS if seed not in first]
    caught = False
    for verdict in catchers(name, [*first, *others]):
        caught = True
        if name in BEYOND:
            assert not verdict.verified, (
                f"{name}: expected beyond `verify`, found {verdict.verified}"
            )
        if name in BEYOND or verdict.verified:
            return
    assert caught, f"nobody noticed: {name}"
    pytest.fail(f"`verify` did not notice: {name}")


def test_what_verify_cannot_see_are_mutations_and_not_all() -> None:
    assert set(BEYOND) < set(MUTATIONS)


def test_the_page_names_every_mutation() -> None:
    for name in MUTATIONS:
        assert known(name), f"{name}: expected in docs/how-we-know.md, with the seeds that catch it"


def test_a_failing_seed_is_cut_to_a_shorter_world_that_still_fails() -> None:
    name = "no barrier"
    seed, whole = known(name)[0], draw(known(name)[0])
    with MUTATIONS[name]():
        until_s, without = shrink(seed, looks_max=40)
        assert judge(seed, until_s=until_s, without=without).broken, "what is told must fail"
        assert until_s < whole.until_s, "the shortest prefix"
        assert without, "some kinds of fault have nothing to do with it"
    assert not judge(seed, until_s=until_s, without=without).broken, "the mutation alone"
