"""The knob of what keeps secrets in the log secret. Set by DIALGATE_<NAME>."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from campaigns.process.settings import EnvironmentSettings
from campaigns.secrets.key_text import key_of


def _usable(key: SecretStr) -> SecretStr:
    key_of(key.get_secret_value())
    return key


Key = Annotated[SecretStr, AfterValidator(_usable)]


class SecretSettings(EnvironmentSettings):
    """The key that seals what the log must not show."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    # Seals webhooks' secrets in the log.
    master_key: Key | None = None  # Base64 of 32 bytes. None: master.key beside the embedded log.
