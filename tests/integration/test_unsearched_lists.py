"""`erase --number` where the keys of some lists are missing: the others are searched and erased."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.log.installation_log import whole
from campaigns.personal.key_store import MemoryKeys
from campaigns.personal.list_keys import ListKeys
from campaigns.secrets.key_place import KeyPlace
from campaigns.sqlite.sqlite_log import SqliteLog
from dialgate.verbs.personal.whom import Whom, folded, still_known, unsearched
from tests.support.verbs import ran
from tests.support.whole_api import BODY, CAMPAIGNS, Whole, whole_api

NUMBER = "+14155550100"
PEOPLE = [{"phone_number": NUMBER, "name": "Ada"}]
LEFT = "1 list could not be searched, whether the number is there cannot be told: campaign"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Whole]:
    """Return both services on an embedded log in tmp_path."""
    log = SqliteLog(tmp_path / "log.db", poll_ms=1, exclusive=False)
    await log.open()
    async with whole_api(log) as both:
        yield both
    await log.close()


async def created(api: Whole, key: str = "one") -> int:
    """Create a campaign of an organization with the number; return its id."""
    answer = await api.client.post(
        CAMPAIGNS, json=BODY | {"contacts": PEOPLE}, headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


async def test_the_others_are_erased_and_it_says_how_many_and_why(
    api: Whole, tmp_path: Path
) -> None:
    lost, theirs, ours = [await created(api, key) for key in ("one", "two", "one")]
    (key_id,) = api.commands.contacts.key_ids(lost)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        keys.execute("delete from keys where key_id = ?", (key_id,))
    words = ("erase", "--number", NUMBER)

    before = await api.ends()
    found = await ran(tmp_path, *words, "--dry-run", status=2)
    assert "2 contacts would be erased" in found.output
    assert f"{LEFT} {lost}: the key {key_id} of a list of contacts is missing" in found.output
    assert await api.ends() == before, "nothing was recorded"

    found = await ran(tmp_path, *words, "--organization", "2", "--yes", "--json")
    assert json.loads(found.stdout)["contacts"] == [f"{theirs}/1"], "theirs can all be read"

    found = await ran(tmp_path, *words, "--yes", "--json", status=1)
    assert json.loads(found.stdout)["contacts"] == [f"{ours}/1"]
    assert f"{LEFT} {lost}: the key {key_id}" in found.stderr

    before = await api.ends()
    found = await ran(tmp_path, *words, "--yes", status=2)
    assert f"{LEFT} {lost}" in found.stderr
    assert await api.ends() == before, "nothing was recorded"

    await ran(tmp_path, "erase", "--campaign", str(lost), "--yes")
    found = await ran(tmp_path, *words, "--yes")
    assert "nothing to do" in found.stdout, "nobody is in a list that is erased whole"


class LateKeys(MemoryKeys):
    """A store whose process knows a key only after it has read again."""

    def __init__(self, real: MemoryKeys, *, ever: bool) -> None:
        super().__init__()
        self._real, self._ever = real, ever

    async def refresh(self) -> None:
        """Read what others made."""
        if self._ever:
            self._wrapped.update(self._real._wrapped)


@pytest.mark.parametrize("ever", [True, False])
async def test_a_key_that_was_made_just_now_is_read_before_it_counts_as_missing(
    ever: bool,
) -> None:
    async with whole_api() as api:
        campaign_id = await api.create(contacts=PEOPLE)
        assert api.log.list_keys is not None
        real = api.log.list_keys.store
        assert isinstance(real, MemoryKeys)
        keys = ListKeys(LateKeys(real, ever=ever), KeyPlace(bytes(32)))
        whom = Whom(number=NUMBER)
        partitions = await folded(api.log, await whole(api.log), whom, keys)
        found = [str(one) for one in still_known(partitions, whom).contacts]
        if ever:
            assert (found, unsearched(partitions, whom)) == ([f"{campaign_id}/1"], None)
        else:
            assert not found
            assert str(unsearched(partitions, whom)).startswith(f"{LEFT} {campaign_id}: the key")
