"""Every operation is sent what its schema allows, and what it does not.

So many requests, always the same, however slow the machine is. With FUZZ_S (`make soak`): for so
many seconds, with other requests each time.

No 5xx but a documented 503, no undocumented status or type of content, no answer that its schema
does not describe. A campaign that is there is asked for as often as one that is not.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from zlib import crc32

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dialgate.application import document
from tests.support.system import KEY, System

pytestmark = pytest.mark.e2e
WITHIN_S = float(os.environ.get("FUZZ_S", 0))  # For all operations together. 0: EXAMPLES of each.
LONGER = WITHIN_S > 0
EXAMPLES = 30  # Of one operation at once; again and again, when there is time.
SEED = time.time_ns() if LONGER else 0
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@dataclass
class Target:
    """A running system with a few campaigns, and until when it may be asked."""

    url: str
    campaigns: list[int]
    session: requests.Session
    operations_left: int
    until: float = field(default_factory=lambda: time.monotonic() + WITHIN_S)
    statuses: "Counter[int]" = field(default_factory=Counter)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with (
        System(tmp_path_factory.mktemp("fuzz"), import_max_mb=1, body_max_mb=1) as system,
        system.client() as client,
        requests.Session() as session,
    ):
        campaigns = [client.create(3) for _ in range(5)]
        yield Target(system.commands_url, campaigns, session, len(OPERATIONS))


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS: dict[str, Any] = {
    one.ok().label: one.ok()  # type: ignore[union-attr]  # It would raise.
    for one in SCHEMA.get_all_operations()
}
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_as_documented_whatever_it_is_sent(name: str, target: Target) -> None:
    operation, chance = OPERATIONS[name], random.Random(f"{name} {SEED}")
    share_s = (target.until - time.monotonic()) / target.operations_left
    target.operations_left -= 1
    until = time.monotonic() + share_s

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES]))
    def asked(case: Any) -> None:  # Any: schemathesis has no types.
        if LONGER and time.monotonic() > until:
            return
        if "campaign_id" in (case.path_parameters or {}) and chance.random() < 0.7:
            case.path_parameters["campaign_id"] = chance.choice(target.campaigns)
        if (case.query or {}).get("wait_s") in range(2, 31):
            case.query["wait_s"] = 1  # A page may wait longer than the client does.
        answer = case.call(
            base_url=target.url,
            session=target.session,
            headers={"Authorization": f"Bearer {KEY}"},
        )
        target.statuses[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, checks=CHECKS)

    for turn in count():
        seed(crc32(name.encode()) + SEED + turn)(asked)()
        if not LONGER or time.monotonic() > until:
            return


def test_most_kinds_of_answers_were_given(target: Target) -> None:
    assert {200, 400, 404, 422} <= target.statuses.keys()
    assert target.statuses[200] > 50
