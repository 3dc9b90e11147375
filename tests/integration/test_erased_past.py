"""The past of somebody who is erased: it was there, and nobody reads who it was."""

from pathlib import Path

import orjson

from campaigns.records.topics import CAMPAIGN_RECORDS, campaign_partition
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


async def test_keys_that_are_still_there_show_nobody_who_is_erased(tmp_path: Path) -> None:
    """Between fact and deletion, and after an old backup is put back, facts alone decide."""
    async with served(tmp_path, tmp_path) as api:
        whole, alone = [await api.create(contacts=CONTACTS) for _ in range(2)]
        ends = api.commands.reader.positions
        number = campaign_partition(whole, api.log.partitions(CAMPAIGN_RECORDS))
        before = f"{number.number}@{ends[number]}"
        kept = (tmp_path / "keys.db").read_bytes()
    await verb(tmp_path, "erase", "--yes", "--campaign", str(whole))
    await verb(tmp_path, "erase", "--yes", "--contact", f"{alone}/1")
    async with served(tmp_path, tmp_path) as api:
        for _ in range(3):  # The command API may delete them once more after it began.
            (tmp_path / "keys.db").write_bytes(kept)
            now, then, others = [
                [one["phone_number"] for one in (await api.get(asked))["items"]]
                for asked in (
                    f"{whole}/contacts",
                    f"{whole}/contacts?as_of={before}",
                    f"{alone}/contacts",
                )
            ]
            if (tmp_path / "keys.db").read_bytes() == kept:
                break
        assert (tmp_path / "keys.db").read_bytes() == kept
        assert now == then == ["erased"] * len(CONTACTS)
        assert others[0] == "erased"
        assert [one["phone_number"][-9:] for one in CONTACTS[1:]] == [
            one[-9:] for one in others[1:]
        ], "their keys are there, and they are not erased"
    (tmp_path / "keys.db").write_bytes(kept)
    words = ("state", str(whole), "--contacts", "--json", "--reveal")
    for stored in (True, False):
        if not stored:  # It reads the log then.
            (tmp_path / "projector.db").rename(tmp_path / "elsewhere")
        for point in ((), ("--as-of", before)):
            told = orjson.loads(await verb(tmp_path, *words, *point))["contacts"]
            assert [one["phone_number"] for one in told] == ["erased"] * len(CONTACTS), (
                stored,
                point,
            )
