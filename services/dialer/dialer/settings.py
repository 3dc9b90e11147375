"""Every knob of the dialer. Set by DIALGATE_<NAME>; units last."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic_settings import SettingsConfigDict

from campaigns.process.durations import Seconds
from campaigns.process.settings import EnvironmentSettings

LEASE_S_MAX = 60.0  # A barrier behind a dead dialer waits this long at most, and the timeout.
Timeout = Annotated[float, Field(gt=0, le=600)]
Tries = Annotated[int, Field(ge=2, le=1000)]
Grace = Annotated[float, Field(gt=0, le=366 * 86_400)]


class DialerSettings(EnvironmentSettings):
    """How the dialer calls, whatever the campaign."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    lease_s: float = Field(default=2.0, gt=0, le=LEASE_S_MAX)  # Permission → ring: ADR-0004.
    carrier_timeout_s: Timeout = 5.0  # How long the carrier may take to take a call.
    asking_max: PositiveInt = 256  # Permissions requested and not ruled on yet, at once.
    resend_s: Seconds = 2.0  # A resolution not read back by then is sent again.
    resend_max_s: Seconds = 15.0  # The longest of these waits, which double.
    recover_poll_s: Seconds = 0.5  # How often a call of another process is looked up.
    calls_drain_s: Seconds = 2.0  # How long a stopping dialer waits for calls on their way.
    unplaced_max: Tries = 5  # Tries after which a contact fails, if the carrier took others.
    unplaced_away_max: Tries = 16  # The same, if it took no call at all: over three hours.
    schedule_grace_s: Grace = 3600.0  # Later than this a scheduled campaign fails.
    catch_up_s: Seconds = 10.0  # How long one look for the log's end may take.
    session_timeout_s: float = Field(default=10.0, ge=6, le=300)  # Of the dialers' group, Kafka.
