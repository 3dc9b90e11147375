"""Every knob of webhooks. Set by DIALGATE_WEBHOOK_<NAME>; units last."""

from typing import Annotated

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from campaigns.process.durations import Seconds
from campaigns.process.settings import EnvironmentSettings

_MONTH_S = 30 * 86_400.0
Fresh = Annotated[float, Field(ge=0.05, le=30)]
Lease = Annotated[float, Field(ge=1, le=3600)]


class WebhookSettings(EnvironmentSettings):
    """How events are delivered to receivers outside."""

    model_config = SettingsConfigDict(
        env_prefix="DIALGATE_WEBHOOK_", frozen=True, allow_inf_nan=False
    )

    secret: SecretStr | None = None  # Signs what `replay-events` delivers: whsec_ and base64.
    private: bool = False  # true: http, and addresses inside the network, are allowed too.
    timeout_s: Seconds = 10.0  # How long a receiver may take to answer.
    retry_wait_s: Seconds = 1.0  # Wait after a failed delivery, doubled each time.
    retry_wait_max_s: Seconds = 300.0  # The longest wait after a failed delivery.
    per_organization_max: PositiveInt = 20  # Webhooks of one organization.
    # A delivery begins only so soon after a look at the log's end; a DELETE's 200 waits as long.
    fresh_s: Fresh = 1.0  # How old what a delivery knows of its webhook may be.
    lease_s: Lease = 15.0  # How long a projector that was cut off holds a webhook.
    deliveries_max: PositiveInt = 64  # Requests at once, a projector: receivers in good standing.
    suspect_deliveries_max: PositiveInt = 16  # Besides: of receivers that fail or are slow.
    retry_s: Annotated[float, Field(gt=0, le=_MONTH_S)] = 3 * 86_400.0  # Then it is given up.
