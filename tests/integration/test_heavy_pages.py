"""The heaviest rows that a list may have: every list can be read to its end, in bounded answers."""

from collections.abc import AsyncIterator

import pytest

from campaigns.http.size_limits import Limits
from projector.queries.page import PER_PAGE, ROW_MAX_BYTES
from projector.settings import ProjectorSettings
from tests.support.whole_api import CAMPAIGNS, Whole, whole_api

PAGE_MAX_BYTES = ProjectorSettings().page_max_mb * 2**20
TEXT = "\x01" * 20_000  # As many characters as a text may have, of six bytes each in JSON.
ROWS = PER_PAGE + 5
LIMITS = Limits(body_max_bytes=1_000_000, upload_max_bytes=1_000_000)
# No body may have all four, but one after the other may.
TEXTS = (
    {"description": TEXT},
    {"welcome_message_template": TEXT},
    {"agenda_template": TEXT},
    {"settings": {"voicemail_message": TEXT}},
    {"end_call_message_template": TEXT},
    {"sms_message_template": TEXT},
)


@pytest.fixture
async def heavy() -> AsyncIterator[Whole]:
    async with whole_api(limits=LIMITS) as api:
        for _ in range(ROWS):
            campaign_id = await api.create()
            for text in TEXTS:
                answer = await api.client.put(f"{CAMPAIGNS}/{campaign_id}", json=text)
                assert answer.status_code == 200, answer.text
        yield api


async def test_lists_of_the_heaviest_campaigns_can_be_read_to_their_end(heavy: Whole) -> None:
    answer = await heavy.client.get(CAMPAIGNS)
    assert (answer.status_code, len(answer.json()["items"])) == (200, PER_PAGE)
    weight = len(answer.content) / 2  # Its rows stand in it twice.
    assert PAGE_MAX_BYTES < 0.95 * PER_PAGE * ROW_MAX_BYTES < weight < PER_PAGE * ROW_MAX_BYTES
    answer = await heavy.client.get(f"{CAMPAIGNS}?page=2")
    assert (answer.status_code, len(answer.json()["items"])) == (200, ROWS - PER_PAGE)
    for size in ("per_page", "limit"):
        for more in ("", "&include=texts"):
            await each_is_read(heavy, size, more)
    refused = await heavy.client.get(f"{CAMPAIGNS}?include=texts")
    assert refused.status_code == 422


async def each_is_read(heavy: Whole, size: str, more: str) -> None:
    """Ask for as many as the default has; then for what the refusal says; then for one."""
    for asked in (PER_PAGE, ROWS):
        refused = await heavy.client.get(f"{CAMPAIGNS}?{size}={asked}{more}")
        assert refused.status_code == 422
    (error,) = refused.json()["detail"]
    assert error["loc"] == ["query", size]
    fitting = int(error["msg"].split()[-3])
    assert 1 < fitting < PER_PAGE
    for rows in (fitting, 1):
        answer = await heavy.client.get(f"{CAMPAIGNS}?{size}={rows}{more}")
        assert (answer.status_code, len(answer.json()["items"])) == (200, rows)
        assert len(answer.content) / 2 < PAGE_MAX_BYTES + 1000
    refused = await heavy.client.get(f"{CAMPAIGNS}?{size}={fitting + 1}{more}")
    assert refused.status_code == 422


async def test_the_heaviest_contacts_fit_into_a_page_of_the_default_size() -> None:
    """A contact weighs 32 KiB at most, and its variables stand in a row twice."""
    async with whole_api(limits=LIMITS) as api:
        variables = {"a": "\x01" * 2_700}
        many = [{"phone_number": f"+1555{n:07d}", "variables": variables} for n in range(PER_PAGE)]
        campaign_id = await api.create()
        for some in (many[:25], many[25:]):
            url = f"{CAMPAIGNS}/{campaign_id}/contacts"
            answer = await api.client.post(url, json={"contacts": some})
            assert answer.status_code == 200, answer.text
        heavier = [{"phone_number": "+15559999999", "variables": {"a": "\x01" * 2_800}}]
        assert (await api.client.post(url, json={"contacts": heavier})).status_code == 422
        answer = await api.client.get(f"{url}?per_page={PER_PAGE}")
        assert (answer.status_code, len(answer.json()["items"])) == (200, PER_PAGE)
