"""Whole worlds under faults: every promise is kept, and every danger did arise."""

from collections import Counter

import pytest

from tests.simulation.answers import SAYS
from tests.simulation.clients import VERBS
from tests.simulation.dangers import DANGERS
from tests.simulation.verdicts import Verdict, judge, judge_all, told

SEEDS = range(200)


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return sorted(judge_all(SEEDS), key=lambda verdict: verdict.seed)


def test_each_command_that_clients_send_is_judged() -> None:
    assert set(SAYS) == {"create", *VERBS}


def test_every_promise_is_kept_in_every_world(verdicts: list[Verdict]) -> None:
    failed = [verdict for verdict in verdicts if verdict.broken]
    numbers = [verdict.seed for verdict in failed]
    assert not failed, f"seeds {numbers} fail. {told(failed[0])}"


@pytest.mark.parametrize("danger", DANGERS)
def test_every_danger_arose(verdicts: list[Verdict], danger: str) -> None:
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total.update(verdict.dangers)
    assert total[danger] > 0, "these worlds prove nothing about it"


def test_a_seed_tells_the_same_story_in_any_process(verdicts: list[Verdict]) -> None:
    for verdict in verdicts[:5]:
        again = judge(verdict.seed)
        assert (again.true_s, again.dangers) == (verdict.true_s, verdict.dangers)
