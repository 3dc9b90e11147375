"""The base class of all settings, which reads secrets from files too: `DIALGATE_X_FILE`.

A secret is a field whose type is pydantic's SecretStr. A trailing line end is not part of it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_FILE_BYTES_MAX = 64 * 1024


class EnvironmentSettings(BaseSettings):
    """Base of every settings class. Secrets may be in files; an empty value counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: Any) -> Any:  # Any: pydantic's input, not validated yet.
        if not isinstance(given, dict):
            return given
        return given | dict(_read(cls, given, os.environ))


def secrets(settings: type[BaseSettings]) -> Iterator[str]:
    """Yield the names of the fields that hold a secret."""
    for name, field in settings.model_fields.items():
        if SecretStr in _types(field.annotation):
            yield name


def _types(annotation: Any) -> Iterator[Any]:  # Any: a type, as Python spells it.
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _read(
    settings: type[BaseSettings], given: Mapping[str, object], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the secrets that are given in files.

    Raises:
        ValueError: a secret is given both ways, or its file cannot be read.

    """
    prefix, named = (
        settings.model_config["env_prefix"],
        {k.upper(): v for k, v in environment.items()},
    )
    for name in secrets(settings):
        variable = f"{prefix}{name}".upper()
        if not (path := named.get(f"{variable}_FILE")):
            continue
        if given.get(name):
            raise ValueError(f"expected {variable} or {variable}_FILE, found both")
        try:
            raw = Path(path).read_bytes()[: _FILE_BYTES_MAX + 1]
        except OSError as exc:
            raise ValueError(f"{variable}_FILE: cannot read {path}: {exc.strerror}") from exc
        if len(raw) > _FILE_BYTES_MAX:
            raise ValueError(f"{variable}_FILE: {path} has more than {_FILE_BYTES_MAX} bytes")
        try:
            text = raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as exc:
            raise ValueError(f"{variable}_FILE: {path} is not UTF-8 text") from exc
        if not text:
            raise ValueError(f"{variable}_FILE: {path} is empty")
        yield name, text
