"""The past of somebody who is erased: it was there, and nobody reads who it was."""

from pathlib import Path

import orjson

from tests.integration.test_lost_keys import served, verb
from tests.support.several_apis import CONTACTS


async def test_as_of_before_an_erasure_the_contact_is_there_and_nobody_reads_it(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, tmp_path) as api:
        campaign_id = await api.create(contacts=CONTACTS)
        before = api.commands.reader.positions
        (place,) = [f"{one.number}@{at}" for one, at in before.items() if at and "camp" in str(one)]
    await verb(tmp_path, "erase", "--yes", "--contact", f"{campaign_id}/1")
    async with served(tmp_path, tmp_path) as api:
        then = (await api.get(f"{campaign_id}/contacts?as_of={place}"))["items"]
        now = (await api.get(f"{campaign_id}/contacts"))["items"]
        assert then[0]["phone_number"] == "erased"
        assert CONTACTS[1]["phone_number"] in then[1]["phone_number"], "others are read"
        assert (then[0]["status"], then[0]["name"], then[0]["variables"]) == ("pending", None, {})
        assert [one["phone_number"] for one in now] == [one["phone_number"] for one in then]
        words = ("state", str(campaign_id), "--contacts", "--json", "--reveal")
        assert orjson.loads(await verb(tmp_path, *words, "--as-of", place))["contacts"] == then
        (tmp_path / "projector.db").rename(tmp_path / "elsewhere")  # It reads the log then.
        assert orjson.loads(await verb(tmp_path, *words, "--as-of", place))["contacts"] == then
        (tmp_path / "elsewhere").rename(tmp_path / "projector.db")
