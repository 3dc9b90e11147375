"""Every knob of the command API. Set by DIALGATE_<NAME>; units last."""

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from campaigns.domain.api_keys import KeyPairs
from campaigns.http.rate_limits import RateLimits
from campaigns.http.shares import Shares
from campaigns.http.size_limits import Limits
from campaigns.process.durations import Seconds
from campaigns.process.settings import EnvironmentSettings
from command_api.http.json_body import CONTACTS_MAX

MIB = 2**20


def _known(country: str) -> str:
    found = country.strip().upper()
    if found == "US":
        return found
    import phonenumbers  # Imported here: it loads slowly, and every process reads these settings.

    if found not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("expected a country by its two letters, such as US or DE (ISO 3166-1)")
    return found


Country = Annotated[str, AfterValidator(_known)]


class CommandApiSettings(EnvironmentSettings):
    """Keys and their shares, the limits of requests, and how long an answer may take."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    api_key: SecretStr | None = None  # Organization 1's. None, with no other: one is made.
    api_keys: KeyPairs | None = None  # key:organization[,key:organization].
    rate_per_minute: PositiveInt | None = None  # Requests of a key, each process. None: no limit.
    wrong_keys_per_minute: PositiveInt = 600  # Requests without a valid key, of one address.
    requests_per_organization_max: PositiveInt = 256  # At once: one organization, one part.
    requests_per_key_max: PositiveInt = 128  # At once: one key, one part.
    body_max_mb: PositiveInt = 10  # Of a JSON body, MiB.
    bodies_max_mb: PositiveInt = 64  # Of all JSON bodies at once, MiB; half of it a tenant's.
    head_max_kb: PositiveInt = 64  # Of a request's line and headers, KiB.
    import_max_mb: PositiveInt = 100  # Of an uploaded file, MiB.
    import_rows_max: PositiveInt = 1_000_000  # Of a file.
    phone_country: Country = "US"  # Of numbers that come without one.
    contacts_max: int = Field(default=10_000, ge=1, le=CONTACTS_MAX)  # Of one JSON request.
    idempotency_keys_max: PositiveInt = 1_000  # Kept a campaign.
    idempotency_key_length_max: int = Field(default=255, ge=1, le=1000)  # Characters.
    imports_per_organization_max: PositiveInt = 8  # CSV files under way at once.
    forget_after_days: int | None = Field(
        default=None, ge=1, le=36_500
    )  # Keep contacts so long after the end.
    list_stale_s: Seconds = 300.0  # An unfinished list that gets no chunk for this long is dropped.
    template_s: Seconds = 1.0  # How long one template preview may take.
    previews_per_organization_max: PositiveInt = 10  # That wait; organizations take turns.
    tries_s: Seconds = 5.0  # How long a refused command is decided again.
    ruling_s: Seconds = 10.0  # How long its ruling is waited for; then 503: unknown.
    command_catch_up_s: Seconds = 10.0  # How long a no waits for the log's end; then 503.

    def rates(self, monotonic: Callable[[], float]) -> RateLimits:
        """Return the rate limits of keys, and their shares."""
        at_once = Shares(self.requests_per_organization_max, self.requests_per_key_max)
        return RateLimits(monotonic, self.rate_per_minute, self.wrong_keys_per_minute, at_once)

    def limits(self) -> Limits:
        """Return the size limits of requests."""
        return Limits(
            self.body_max_mb * MIB,
            self.import_max_mb * MIB,
            self.head_max_kb * 1024,
            self.bodies_max_mb * MIB,
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse settings that defeat one another: of bodies, and of lists still on their way."""
        if self.bodies_max_mb < self.body_max_mb:
            raise ValueError(
                f"bodies_max_mb: expected at least body_max_mb {self.body_max_mb},"
                f" got {self.bodies_max_mb}"
            )
        if self.list_stale_s <= self.tries_s + self.ruling_s:  # Its next chunk may still come.
            raise ValueError(
                f"list_stale_s: expected more than tries_s + ruling_s"
                f" {self.tries_s + self.ruling_s:g}, got {self.list_stale_s:g}"
            )
        return self
