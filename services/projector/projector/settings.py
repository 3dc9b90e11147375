"""Every knob of the projector. Set by DIALGATE_<NAME>; units last."""

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from campaigns.api_keys import KeyPairs


class ProjectorSettings(BaseSettings):
    """Where the views live, and how long a query waits."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    database_url: SecretStr | None = None  # SQLAlchemy's. None: projector.db in the data directory.
    api_key: SecretStr | None = None  # Organization 1's key.
    api_keys: KeyPairs | None = None  # key:organization[,key:organization].
    rate_per_minute: PositiveInt | None = None  # Requests of a key, each process. None: no limit.
    fresh_s: PositiveFloat = 10.0  # How long a query waits for the fold to reach the log's end.
    page_max_mb: int = Field(10, ge=1, le=1000)  # A page's rows as JSON: 50 of 200 KB each.
    sockets_max: PositiveInt = 1000  # Connections under /ws, of one process.
    publish_max: PositiveInt = 500  # Events handed to campaign.events at once, a partition.
    publish_retry_s: PositiveFloat = 0.2  # Wait after a failed publish …
    publish_retry_max_s: PositiveFloat = 5.0  # … doubling up to this.
