"""The bodies of requests: every spelling that documentation and SDKs use, bounds as documented.

Unknown and read-only keys are ignored; null means not given. Source: contract 1.3 row 2,
8.1 to 8.3, 9.12 and 9.18.
"""

import json
from typing import Annotated, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from campaigns.domain.facts import CampaignType
from campaigns.http.door import ID_MAX
from command_api.http.json_body import BODY_BYTES_MAX, Elements
from command_api.imports.depth import JSON_DEPTH_MAX, deeper

TEXT_MAX = 20_000  # Characters of a template or description.
NAMES_MAX = 1_000  # Of template variables, wherever a campaign's body has them.
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX)]
Attempts = Annotated[int | None, Field(ge=1, le=10)]
Delay = Annotated[int | None, Field(ge=5, le=1440)]
Concurrent = Annotated[int | None, Field(ge=1, le=1000)]
Rate = Annotated[int | None, Field(ge=1, le=60000)]


def _either(snake: str, *others: str) -> AliasChoices:
    head, *tail = snake.split("_")
    camel = head + "".join(part.title() for part in tail)
    return AliasChoices(snake, *others, camel)


class SettingsBody(BaseModel):
    """`settings` as the SDKs send it, in either spelling."""

    model_config = ConfigDict(populate_by_name=True)

    max_concurrent_calls: Concurrent = Field(None, validation_alias=_either("max_concurrent_calls"))
    calls_per_minute: Rate = Field(None, validation_alias=_either("calls_per_minute"))
    max_attempts: Attempts = Field(None, validation_alias=_either("max_attempts"))
    retry_delay_minutes: Delay = Field(None, validation_alias=_either("retry_delay_minutes"))
    leave_voicemail: bool | None = Field(None, validation_alias=_either("leave_voicemail"))
    voicemail_message: Text | None = Field(None, validation_alias=_either("voicemail_message"))
    welcome_template: Text | None = Field(None, validation_alias=_either("welcome_template"))
    agenda_template: Text | None = Field(None, validation_alias=_either("agenda_template"))


class ExecutionSettingsBody(BaseModel):
    """`execution_settings` as the guide shows it, in either spelling."""

    model_config = ConfigDict(populate_by_name=True)

    concurrent_limit: Concurrent = Field(None, validation_alias=_either("concurrent_limit"))
    rate_limit_per_minute: Rate = Field(None, validation_alias=_either("rate_limit_per_minute"))
    allowed_hours: dict[str, Any] | None = Field(  # Any: read by schedules.parse_hours.
        None, validation_alias=_either("allowed_hours")
    )
    time_zone: Any = Field(None, validation_alias=_either("time_zone"))


class AdvancedSettingsBody(BaseModel):
    """`advanced_settings` as the guide shows it, in either spelling."""

    model_config = ConfigDict(populate_by_name=True)

    enable_voicemail_detection: bool | None = Field(
        None, validation_alias=_either("enable_voicemail_detection")
    )
    leave_voicemail: bool | None = Field(None, validation_alias=_either("leave_voicemail"))
    voicemail_message: Text | None = Field(None, validation_alias=_either("voicemail_message"))


def _listed(given: Any, check: ValidatorFunctionWrapHandler) -> Any:  # Any: JSON.
    return given if isinstance(given, Elements) else check(given)


# Of a large body, json_body.Elements. Any: looked at row by row (rows.parse_contacts).
Contacts = Annotated[list[Any], WrapValidator(_listed)]


def _few(given: Any) -> Any:  # Any: JSON.
    """Refuse too many names before each of them can be an error of its own.

    Raises:
        ValueError: more than NAMES_MAX.

    """
    if isinstance(given, dict | list) and len(given) > NAMES_MAX:
        raise ValueError(f"there are more than {NAMES_MAX}")
    return given


def plain(given: Any) -> Any:  # Any: JSON, not validated yet.
    """Return a body as it is, unless a record or a database could not hold it.

    Contacts are validated row by row instead (rows.parse_contacts).

    Raises:
        ValueError: it is larger than BODY_BYTES_MAX without its contacts, nested more than
            JSON_DEPTH_MAX deep, a number in it is not finite, or a text is no Unicode or has a NUL
            character, which databases do not take.

    """
    if isinstance(given, dict):
        rest = {name: value for name, value in given.items() if name != "contacts"}
        if deeper(rest, JSON_DEPTH_MAX):
            raise ValueError(f"it is nested more than {JSON_DEPTH_MAX} deep")
        try:
            orjson.dumps(rest.get("pending_import"))  # Kept as it is: no field validates it.
            # Each field validates its numbers. Python reads NaN and Infinity, which JSON lacks.
            text = json.dumps(rest, ensure_ascii=False, allow_nan=False).encode()
        except (orjson.JSONEncodeError, ValueError) as exc:
            raise ValueError("a text is no Unicode, or a number too large or not finite") from exc
        if len(text) > BODY_BYTES_MAX:
            raise ValueError(f"it is larger than {BODY_BYTES_MAX} bytes")
        if rb"\u0000" in text and _has_nul(rest):
            raise ValueError("a text contains a NUL character")
    return given


def _has_nul(given: object) -> bool:
    if isinstance(given, dict):
        return any(map(_has_nul, given)) or any(map(_has_nul, given.values()))
    if isinstance(given, list):
        return any(map(_has_nul, given))
    return isinstance(given, str) and "\0" in given


def _shown(*examples: dict[str, Any]) -> ConfigDict:  # Any: JSON.
    """Return a configuration with examples for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class Body(BaseModel):
    """Base of bodies whose texts go into records."""

    _plain = model_validator(mode="before")(plain)


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


_FEW = BeforeValidator(_few)


class DetailsBody(Body):
    """What create and update both take."""

    description: Text | None = None
    welcome_message_template: Text | None = None
    agenda_template: Text | None = None
    end_call_message_template: Text | None = None
    sms_message_template: Text | None = None
    fallback_values: Annotated[dict[str, Text] | None, _FEW] = None
    variable_mappings: Annotated[dict[str, str | None] | None, _FEW] = None
    available_variables: Annotated[list[str] | None, _FEW] = None
    max_attempts: Attempts = None
    retry_delay_minutes: Delay = None
    settings: SettingsBody | None = None
    execution_settings: ExecutionSettingsBody | None = None
    advanced_settings: AdvancedSettingsBody | None = None
    phone_number_id: Annotated[int | None, Field(ge=1, le=ID_MAX)] = None
    pending_import: dict[str, object] | None = None
    schedule: dict[str, Any] | None = None  # Any: its keys depend on its type.


class UpdateBody(DetailsBody):
    """The body of an update: what is not given stays."""

    model_config = _shown({"name": "Second", "settings": {"max_concurrent_calls": 10}})

    name: Name | None = None

    def texts(self) -> dict[str, object]:
        """Return the texts that were given, by their names in the fact."""
        given = {name: getattr(self, name) for name in _TEXTS}
        if self.available_variables is not None:
            given["available_variables"] = tuple(self.available_variables)
        return {name: value for name, value in given.items() if value is not None}


_TEXTS = (
    "name", "description", "end_call_message_template", "sms_message_template",
    "fallback_values", "variable_mappings", "phone_number_id", "pending_import",
)  # fmt: skip


class CreateBody(DetailsBody):
    """The body of a create."""

    model_config = _shown(
        {"name": "First", "assistant_id": 1, "campaign_type": "call"},
        {
            "name": "Reminders",
            "assistant_id": 1,
            "campaign_type": "call",
            "welcome_message_template": "Hello {{ name }}",
            "settings": {"max_attempts": 2, "calls_per_minute": 60, "max_concurrent_calls": 5},
            "contacts": [{"phone_number": "+15551234567", "name": "Ann"}],
        },
    )

    name: Name
    assistant_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    campaign_type: CampaignType
    contacts: Contacts | None = None


class ReasonBody(Body):
    """The optional body of a lifecycle command."""

    model_config = _shown({"reason": "The script is wrong"})

    reason: Annotated[str | None, StringConstraints(max_length=1000)] = None
    until: str | None = None


def unprocessable(loc: tuple[str | int, ...], msg: str) -> RequestValidationError:
    """Return a 422 in FastAPI's shape."""
    return RequestValidationError([{"loc": ("body", *loc), "msg": msg, "type": "value_error"}])


def key_unusable(msg: str) -> RequestValidationError:
    """Return a 422 for an Idempotency-Key, in FastAPI's shape."""
    return RequestValidationError(
        [{"loc": ("header", "Idempotency-Key"), "msg": msg, "type": "value_error"}]
    )
