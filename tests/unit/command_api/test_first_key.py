"""A system without a key makes one as soon as it can, and says once why it cannot yet."""

import asyncio
import logging

import pytest

from campaigns.domain.api_keys import ApiKeys
from campaigns.domain.campaigns import Campaigns
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog
from campaigns.log.reader import Reader
from campaigns.log.writer import Writer
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.home import adopt
from campaigns.records.topics import ORGANIZATIONS
from campaigns.testing.sample_records import NOON
from command_api.keys.key_changes import ensure_some_key
from tests.unit.campaigns.test_homes import begun, chosen, copied
from tests.unit.campaigns.test_installation import Ids


def test_a_copy_without_a_key_says_once_why_it_has_none(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        log = MemoryLog()
        await begun(log)
        copy, shown = copied(log), list[str]()
        reader = Reader(copy, Ids())
        await reader.begin()
        writer = Writer(reader, Campaigns(), VirtualClock(asyncio.get_running_loop()), "test")
        following = asyncio.create_task(reader.follow([ORGANIZATIONS]))
        trying = asyncio.create_task(ensure_some_key(writer, ApiKeys(), shown.append, 1.0))
        await asyncio.sleep(60)
        (told,) = (one.message for one in caplog.records if one.levelno == logging.WARNING)
        assert "a copy of the log at memory" in told
        assert shown == []
        await chosen(copy, adopt(await whole(copy), copy.place, NOON, "c"))
        async with asyncio.timeout(60):
            await trying
        assert len(shown) == 1
        following.cancel()

    run_virtually(main())
