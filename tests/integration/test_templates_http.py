"""Template preview over HTTP: what a template does to others."""

import asyncio
import time

import pytest

from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

URL = f"{CAMPAIGNS}/template-preview"


async def preview(api: Whole, template: str, **variables: object) -> tuple[bool, str]:
    answer = await api.client.post(URL, json={"template": template, "variables": variables})
    assert answer.status_code == 200, answer.text
    shape = answer.json()
    assert set(shape) == {"success", "rendered_template"}
    return shape["success"], shape["rendered_template"]


async def test_a_template_is_rendered_and_a_mistake_is_an_answer_too() -> None:
    async with whole_api() as api:
        assert await preview(api, "Hi {{ name }}", name="Ann") == (True, "Hi Ann")
        success, text = await preview(api, "Hi {{ name")
        assert not success
        assert text.startswith("[Template Error: ")
        assert text.endswith("] Hi {{ name")
        bare = await api.client.post(URL, json={"template": "{{ name }}"})
        assert bare.json()["rendered_template"] == "there"
        assert await preview(api, "{{ n }}", n=10**40) == (True, str(10**40))


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
    ],
)
async def test_a_template_that_never_ends_is_ended_and_harms_nobody(template: str) -> None:
    async with whole_api() as api:
        await preview(api, "warm")
        began = time.monotonic()
        endless = asyncio.create_task(preview(api, template))
        while not endless.done():  # Others are answered meanwhile.
            assert (await api.client.get(CAMPAIGNS)).status_code == 200
        assert await endless == (False, f"[Template Error: it takes too long] {template}")
        assert time.monotonic() - began < 8.0
        assert await preview(api, "{{ 1 + 1 }}") == (True, "2"), "and the next one is rendered"


async def test_a_template_that_wants_all_memory_does_not_get_it() -> None:
    async with whole_api() as api:
        success, text = await preview(api, "{{ 'x' * 10 ** 10 }}")
        assert (success, text.split("]")[0]) == (False, "[Template Error: it needs too much memory")


async def test_too_many_at_once_are_sent_away_for_a_moment() -> None:
    async with whole_api() as api:
        body = {"template": "{{ 1 }}"}
        answers = await asyncio.gather(*(api.client.post(URL, json=body) for _ in range(60)))
        assert {answer.status_code for answer in answers} == {200, 503}
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert busy.headers["Retry-After"] == "1"
        assert busy.json()["may_still_take_effect"] is False


@pytest.mark.parametrize("body", [{}, {"template": 1}, {"template": "x" * 20_001}, []])
async def test_what_is_no_template_is_422(body: object) -> None:
    async with whole_api() as api:
        assert (await api.client.post(URL, json=body)).status_code == 422
        api.client.headers.pop("Authorization")
        assert (await api.client.post(URL, json={"template": "x"})).status_code == 401
