"""Every spelling that documentation and SDKs use, by example."""

from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from msgspec.structs import asdict
from pydantic import ValidationError

from campaigns.audit.stories.receipts import receipt_shape
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.testing.sample_records import NOON
from command_api.http.bodies import (
    CreateBody,
    ReasonBody,
    UpdateBody,
    key_unusable,
    unprocessable,
)
from command_api.http.json_body import BODY_BYTES_MAX
from command_api.http.settings_body import given_settings, refuse_until, schedule_of, settings_of
from tests.support.folded_journal import FoldedJournal

LEAST: dict[str, Any] = {"name": "x", "assistant_id": 1, "campaign_type": "call"}


def body(**more: Any) -> CreateBody:
    return CreateBody.model_validate(LEAST | more)


def settings(**more: Any) -> CampaignSettings:
    return settings_of(body(**more))[0]


def test_an_update_names_only_what_was_given() -> None:
    given = UpdateBody.model_validate({"name": "New", "description": None, "maxAttempts": 3})
    assert given.texts() == {"name": "New"}
    both = UpdateBody.model_validate({"settings": {"callsPerMinute": 7}, "max_attempts": 2})
    assert given_settings(both) == ({"max_attempts": 2, "calls_per_minute": 7}, None, None)


def test_without_settings_the_documented_defaults_hold() -> None:
    assert settings() == CampaignSettings()
    assert asdict(settings()) == {
        "max_attempts": 3,
        "retry_delay_minutes": 30,
        "max_concurrent_calls": 5,
        "calls_per_minute": 10,
        "leave_voicemail": False,
        "voicemail_message": None,
        "enable_voicemail_detection": None,
        "calling_hours": None,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"max_attempts": 4},
        {"settings": {"max_attempts": 4}},
        {"settings": {"maxAttempts": 4}},
        {"max_attempts": 4, "settings": {"max_attempts": 4}},
        {"max_attempts": 4, "settings": {"max_attempts": None}},
    ],
)
def test_attempts_are_heard_under_every_name(more: dict[str, Any]) -> None:
    assert settings(**more) == CampaignSettings(max_attempts=4)


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        ({"settings": {"maxConcurrentCalls": 9}}, "max_concurrent_calls", 9),
        ({"execution_settings": {"concurrent_limit": 9}}, "max_concurrent_calls", 9),
        ({"settings": {"callsPerMinute": 600}}, "calls_per_minute", 600),
        ({"execution_settings": {"rate_limit_per_minute": 600}}, "calls_per_minute", 600),
        ({"retry_delay_minutes": 5}, "retry_delay_minutes", 5),
        ({"settings": {"retryDelayMinutes": 5}}, "retry_delay_minutes", 5),
        ({"settings": {"leaveVoicemail": True}}, "leave_voicemail", True),
        ({"advanced_settings": {"leave_voicemail": True}}, "leave_voicemail", True),
        ({"settings": {"voicemailMessage": "Hi"}}, "voicemail_message", "Hi"),
        ({"advanced_settings": {"voicemail_message": "Hi"}}, "voicemail_message", "Hi"),
        ({"execution_settings": {"rateLimitPerMinute": 600}}, "calls_per_minute", 600),
        ({"execution_settings": {"concurrentLimit": 9}}, "max_concurrent_calls", 9),
        ({"advanced_settings": {"leaveVoicemail": True}}, "leave_voicemail", True),
        (
            {"advanced_settings": {"enable_voicemail_detection": True}},
            "enable_voicemail_detection",
            True,
        ),
    ],
)
def test_each_setting_is_heard_under_the_guides_and_the_sdks_names(
    more: dict[str, Any], name: str, value: object
) -> None:
    assert settings(**more) == CampaignSettings.validated({name: value})


def test_templates_are_heard_under_both_names() -> None:
    assert settings_of(body(welcome_message_template="Hi", agenda_template="A"))[1:] == ("Hi", "A")
    both = body(settings={"welcomeTemplate": "Hi", "agenda_template": "A"})
    assert settings_of(both)[1:] == ("Hi", "A")
    assert settings_of(body())[1:] == (None, None)


@pytest.mark.parametrize(
    ("more", "loc"),
    [
        ({"max_attempts": 3, "settings": {"max_attempts": 4}}, ("settings", "max_attempts")),
        (
            {
                "settings": {"calls_per_minute": 1},
                "execution_settings": {"rate_limit_per_minute": 2},
            },
            ("execution_settings", "rate_limit_per_minute"),
        ),
        (
            {"welcome_message_template": "a", "settings": {"welcome_template": "b"}},
            ("settings", "welcome_template"),
        ),
    ],
)
def test_one_thing_under_two_names_with_two_values_is_refused(
    more: dict[str, Any], loc: tuple[str, ...]
) -> None:
    with pytest.raises(RequestValidationError) as refused:
        settings(**more)
    (error,) = refused.value.errors()
    assert error["loc"] == ("body", *loc)


def test_read_only_and_unknown_keys_are_ignored() -> None:
    found = body(id=5, status="running", nonsense=[1], settings={"nonsense": 1})
    assert found == body(settings={})


def test_the_two_ways_to_say_immediate_are_no_schedule() -> None:
    for schedule in (None, {}, {"schedule_type": "immediate"}, {"scheduleType": "immediate"}):
        assert schedule_of(body(schedule=schedule), NOON) is None
    for schedule in ({"schedule_type": "once"}, {"scheduleType": "recurring"}):
        with pytest.raises(RequestValidationError):
            schedule_of(body(schedule=schedule), NOON)


def test_a_reason_is_kept_and_an_end_of_the_pause_refused() -> None:
    assert refuse_until(None) is None
    assert refuse_until(ReasonBody()) is None
    assert refuse_until(ReasonBody(reason="lunch")) == "lunch"
    with pytest.raises(RequestValidationError):
        refuse_until(ReasonBody(until="tomorrow"))
    with pytest.raises(ValidationError):
        ReasonBody(reason="x" * 1001)


def test_a_body_is_bounded_but_for_its_contacts() -> None:
    assert body(contacts=[{"name": "x" * BODY_BYTES_MAX}]).contacts
    with pytest.raises(ValidationError, match="larger than"):
        body(pending_import={"x": "x" * BODY_BYTES_MAX})


@pytest.mark.parametrize(
    "more",
    [
        {"name": "a\0b"},
        {"fallback_values": {"a\0b": "x"}},
        {"available_variables": ["a", "b\0"]},
        {"description": "\ud800"},
    ],
)
def test_texts_that_no_database_takes_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        body(**more)


def test_a_backslash_before_a_zero_is_a_text_like_any_other() -> None:
    assert body(name="a\\u0000b").name == "a\\u0000b"


def test_errors_say_where() -> None:
    assert unprocessable(("a", 0), "no").errors()[0]["loc"] == ("body", "a", 0)
    assert key_unusable("no").errors()[0]["loc"] == ("header", "Idempotency-Key")


def test_a_pause_is_strict_while_every_carrier_of_the_run_refuses_late_rings() -> None:
    told = FoldedJournal()
    told.running()
    assert receipt_shape(told.campaign, None)["guarantee"] == "strict"
    told.campaign.strict = False
    assert receipt_shape(told.campaign, None)["guarantee"] == "best effort"
