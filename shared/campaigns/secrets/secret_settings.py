"""The knob of what keeps secrets in the log secret. Set by DIALGATE_<NAME>."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from campaigns.process.settings import EnvironmentSettings
from campaigns.secrets.key_text import keys_of


def _usable(keys: SecretStr) -> SecretStr:
    keys_of(keys.get_secret_value())
    return keys


MasterKeys = Annotated[SecretStr, AfterValidator(_usable)]  # Base64, newest first.


class SecretSettings(EnvironmentSettings):
    """The key that seals what the log must not show."""

    model_config = SettingsConfigDict(env_prefix="DIALGATE_", frozen=True, allow_inf_nan=False)

    # Seals webhooks' secrets in the log. Several, newest first: the first seals, all open.
    master_key: MasterKeys | None = None  # Base64 of 32 bytes. None: master.key beside the log.
