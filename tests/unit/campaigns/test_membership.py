"""A bug in the dialers' membership is logged, and mended by joining again."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from campaigns.kafka.clients import Kafka
from campaigns.kafka.membership import Membership


@dataclass(frozen=True)
class Broken(Kafka):
    """A cluster for which no consumer can be made."""

    asked: list[str] = field(default_factory=list)

    def consumer(self, *topics: str, **options: Any) -> Any:  # Any: as the method it stands for.
        self.asked.append(options["group_id"])
        raise RuntimeError("a bug")


async def test_a_task_that_ends_is_noticed_and_restarted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kafka = Broken("127.0.0.1:1")
    member = Membership(kafka, "dialers", lambda _: None, heartbeat_s=0.05)
    assert not member.troubles()
    await member.open()
    async with asyncio.timeout(20):
        while len(kafka.asked) < 3:
            await asyncio.sleep(0.01)
    (trouble,) = member.troubles()
    assert "dialers: RuntimeError('a bug')" in trouble
    assert "its task has ended" in caplog.text
    await member.close()
    before = len(kafka.asked)
    await asyncio.sleep(0)
    assert len(kafka.asked) == before


async def test_who_is_in_the_group_again_has_no_trouble() -> None:
    member = Membership(Broken("127.0.0.1:1"), "dialers", lambda _: None)
    member.trouble = "group dialers: no right"
    member.changed([])
    assert not member.troubles()
