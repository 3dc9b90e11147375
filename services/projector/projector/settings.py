"""Every knob of the projector. Set by DIALGATE_<NAME>; units last."""

from collections.abc import Callable

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from campaigns.domain.api_keys import KeyPairs
from campaigns.http.rate_limits import RateLimits
from campaigns.http.shares import Shares
from campaigns.process.durations import Seconds
from campaigns.process.settings import EnvironmentSettings


class ProjectorSettings(EnvironmentSettings):
    """Where the views are stored, how fresh queries are, and what clients may hold."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    database_url: SecretStr | None = None  # SQLAlchemy's. None: projector.db in the data directory.
    api_key: SecretStr | None = None  # Organization 1's key.
    api_keys: KeyPairs | None = None  # key:organization[,key:organization].
    rate_per_minute: PositiveInt | None = None  # Requests of a key, each process. None: no limit.
    wrong_keys_per_minute: PositiveInt = 600  # Requests without a valid key, of one address.
    requests_per_organization_max: PositiveInt = 256  # At once: one organization, one part.
    requests_per_key_max: PositiveInt = 128  # At once: one key, one part.
    fresh_s: Seconds = 10.0  # How long a query waits for the fold to reach the log's end.
    page_max_mb: int = Field(10, ge=1, le=1000)  # A page of a named size, MiB; one row always fits.
    as_of_contacts_max: PositiveInt = 2_000_000  # A campaign's, ever called: past ones are copied.
    as_of_at_once_max: PositiveInt = 2  # Answers with as_of that are folded at once.
    sockets_max: PositiveInt = 1000  # Of a process, streams too; then the largest makes room.
    sockets_per_organization_max: PositiveInt = 500  # Sockets and streams of one organization.
    sockets_per_key_max: PositiveInt = 250  # Sockets and streams of one key.
    feed_buffer: PositiveInt = 1000  # Events that a stream may be behind; then it is closed.
    linger_ms: int = Field(20, ge=0, le=1000)  # A record's wait for others to share its commit.
    rebuilt_check_s: Seconds = 2.0  # Between two looks whether rebuilt views are ready.
    publish_max: PositiveInt = 500  # Events handed to campaign.events at once, a partition.
    publish_retry_s: Seconds = 0.2  # Wait after a failed publish, doubled each time.
    publish_retry_max_s: Seconds = 5.0  # The longest wait after a failed publish.

    def rates(self, monotonic: Callable[[], float]) -> RateLimits:
        """Return the rate limits of keys and organizations."""
        at_once = Shares(self.requests_per_organization_max, self.requests_per_key_max)
        return RateLimits(monotonic, self.rate_per_minute, self.wrong_keys_per_minute, at_once)

    def sockets(self) -> Shares:
        """Return the limits on sockets of a key and of an organization."""
        return Shares(self.sockets_per_organization_max, self.sockets_per_key_max)
