"""Only a setting that does not fit is told as one: of anything else no knob is named."""

from collections.abc import Callable

import pytest
from pydantic import TypeAdapter, ValidationError

from campaigns.domain.campaign import Campaign
from campaigns.domain.carrier_refusals import Unplaced
from campaigns.domain.values.rows import Row
from command_api.settings import CommandApiSettings
from dialer.settings import DialerSettings
from dialgate import __main__
from dialgate.settings import SETTINGS


def error_of(made: Callable[[], object]) -> ValidationError:
    with pytest.raises(ValidationError) as no:
        made()
    return no.value


@pytest.mark.parametrize(
    ("made", "settings"),
    [
        (lambda: DialerSettings(lease_s=-1), True),
        (lambda: CommandApiSettings.model_validate({"body_max_mb": "much"}), True),
        (lambda: TypeAdapter(Campaign).validate_json(b"{}"), False),
        (lambda: TypeAdapter(Unplaced).validate_json(b"["), False),
        (lambda: Row.validated({}), False),
    ],
)
def test_a_misfit_is_of_the_settings_or_not(made: Callable[[], object], settings: bool) -> None:
    assert (error_of(made).title in SETTINGS) is settings


def test_what_is_no_setting_is_not_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that could not be read once ended every start with `DIALGATE_*: Invalid JSON`."""
    monkeypatch.setattr(__main__, "cli", lambda: Row.validated({}))
    with pytest.raises(ValidationError):
        __main__.main()
    monkeypatch.setattr(__main__, "cli", lambda: DialerSettings(lease_s=-1))
    with pytest.raises(SystemExit):
        __main__.main()
    assert "DIALGATE_LEASE_S" in capsys.readouterr().err
