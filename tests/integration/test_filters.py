"""Each filter of each list finds what it names, and nothing else."""

from dialgate.application import document
from tests.support.import_world import people
from tests.support.whole_api import CAMPAIGNS, whole_api

# They are no filters.
PAGES = {"page", "per_page", "skip", "limit", "include", "consistency", "as_of"}
CONTACTS = "/{campaign_id}/contacts"
EXECUTIONS = "/{campaign_id}/executions"
# A value that the one campaign or contact of the test has, and one that it does not have.
FILTERS: dict[tuple[str, str], tuple[object, object]] = {
    ("", "status"): ("draft", "running"),
    ("", "campaign_type"): ("call", "sms"),
    ("", "assistant_id"): (1, 2),
    ("", "search"): ("Sample", "Another"),
    (CONTACTS, "status"): ("pending", "completed"),
}
NEVER = {(EXECUTIONS, "status"): "completed"}  # Nobody is called in here: it finds nothing.


async def test_each_filter_finds_what_it_names_and_nothing_else() -> None:
    offered = {
        (path.removeprefix(CAMPAIGNS), parameter["name"])
        for path, methods in document()["paths"].items()
        if path in (CAMPAIGNS, CAMPAIGNS + CONTACTS, CAMPAIGNS + EXECUTIONS)
        for parameter in methods["get"]["parameters"]
        if parameter["in"] == "query"
    }
    filters = {one for one in offered if one[1] not in PAGES}
    assert filters == {*FILTERS, *NEVER}, "each filter is asked for here"
    async with whole_api() as api:
        campaign_id = await api.create()
        assert (await api.upload(campaign_id, people([1])))[0] in (200, 202)

        async def total(path: str, **params: object) -> int:
            url = CAMPAIGNS + path.format(campaign_id=campaign_id)
            answer = await api.client.get(url, params=params)  # type: ignore[arg-type]
            assert answer.status_code == 200, answer.text
            return int(answer.json()["total"])

        for (path, name), (has, has_not) in FILTERS.items():
            found = await total(path, **{name: has}), await total(path, **{name: has_not})
            assert found == (1, 0), (path, name)
        for (path, name), value in NEVER.items():
            assert await total(path, **{name: value}) == 0
