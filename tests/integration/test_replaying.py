"""What `dialgate replay` prints of a log: of one campaign, its own records alone."""

from pathlib import Path

import orjson
import pytest

from campaigns.domain.facts import CampaignPaused, CreateKeyed
from campaigns.domain.values.stream_names import create_stream
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, NOON, offered
from dialgate.settings import ProcessSettings
from dialgate.verbs.replay import replay


async def test_an_organization_is_not_taken_for_the_campaign_of_its_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A keyed create is on the stream `create/<organization>/…`: each was shown as campaign 1's."""
    digest, log = "0" * 64, SqliteLog(tmp_path / "log.db")
    keyed = CreateKeyed(organization_id=1, digest=digest, campaign_id=2, request_digest=digest)
    paused = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)
    await log.open()
    for fact in (keyed, paused):
        await log.append(FIRST, offered(fact), 1)
    await log.close()
    for campaign, stream in ((1, "campaign/1"), (2, create_stream(1, digest))):
        await replay(ProcessSettings(data_dir=tmp_path), campaign, as_json=True)
        lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [fact["stream"] for line in lines for fact in line["facts"]] == [stream]
