"""A command without a body takes a short way in: it must be the same as FastAPI's own."""

from typing import Any

import httpx
import pytest

from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

CALLED = {"contacts": [{"phone_number": "+15550000001"}]}
CHANGING = {"task_id", "receipt", "updated_at", "started_at", "id", "campaign_id"} | {
    "created_at",
    "completed_at",
}


async def both_ways(
    api: Whole, path: str, headers: dict[str, str] | None = None
) -> tuple[httpx.Response, httpx.Response]:
    """Ask the same of two campaigns alike: without a body, and with an empty one of JSON."""
    answers = []
    ways: tuple[dict[str, Any], ...] = ({}, {"json": {}})
    for body in ways:
        campaign_id = await api.create(**CALLED)
        verbs = path.split("/")
        for verb in verbs[:-1]:
            await api.client.post(f"{CAMPAIGNS}/{campaign_id}/{verb}")
        url = f"{CAMPAIGNS}/{campaign_id}/{verbs[-1]}"
        answers.append(await api.client.post(url, headers=headers or {}, **body))
    return answers[0], answers[1]


def lasting(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """Return what must be the same of any two campaigns alike."""
    return answer.status_code, {k: v for k, v in answer.json().items() if k not in CHANGING}


PATHS = ("start", "start/pause", "start/pause/resume", "start/stop", "pause", "start/pause/pause")


@pytest.mark.parametrize("path", PATHS)
async def test_with_and_without_a_body_a_command_answers_alike(path: str) -> None:
    async with whole_api() as api:
        plain, whole = await both_ways(api, path)
        assert lasting(plain) == lasting(whole)
        assert plain.headers.keys() == whole.headers.keys()


@pytest.mark.parametrize(
    "headers",
    [
        {"Prefer": "respond-async"},
        {"Idempotency-Key": "k" * 2_000},
        {"Authorization": "Bearer nobody"},
        {"Authorization": ""},
        {"Prefer": "respond-async", "Idempotency-Key": "k"},
    ],
)
async def test_headers_mean_the_same_either_way(headers: dict[str, str]) -> None:
    async with whole_api() as api:
        plain, whole = await both_ways(api, "start/pause", headers)
        assert lasting(plain) == lasting(whole)


@pytest.mark.parametrize("number", ["0", "-1", "01", "1e3", "one", "9" * 15, "9" * 16, "9" * 40])
async def test_strange_ids_go_the_whole_way(number: str) -> None:
    async with whole_api() as api:
        plain = await api.client.post(f"{CAMPAIGNS}/{number}/pause")
        whole = await api.client.post(f"{CAMPAIGNS}/{number}/pause", json={})
        assert plain.status_code in {404, 422}
        assert (plain.status_code, plain.json()) == (whole.status_code, whole.json())
        assert (await api.client.get(f"{CAMPAIGNS}/1/start")).status_code == 405
