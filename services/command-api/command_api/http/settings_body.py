"""The settings of a body, under whichever name they came; what is not supported. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.schedule import Schedule
from command_api.http.bodies import CreateBody, DetailsBody, ReasonBody, unprocessable
from command_api.http.schedule_bodies import UnusableScheduleError, parse_embedded, parse_hours


def settings_of(body: CreateBody) -> tuple[CampaignSettings, str | None, str | None]:
    """Return the settings, the welcome and the agenda template, each stored once.

    Raises: see `given_settings`.
    """
    values, welcome, agenda = given_settings(body)
    return CampaignSettings.validated(values), welcome, agenda


def given_settings(body: DetailsBody) -> tuple[dict[str, object], str | None, str | None]:
    """Return the settings that were given, the welcome and the agenda template.

    Raises:
        RequestValidationError: one setting has different values under two names.

    """
    given: dict[str, tuple[tuple[str, ...], object]] = {}

    def take(name: str, loc: tuple[str, ...], value: object) -> None:
        if value is None:
            return
        if name in given and given[name][1] != value:
            other = ".".join(given[name][0])
            raise unprocessable(loc, f"{name} was given as {other} too, with another value")
        given[name] = (loc, value)

    for name in ("max_attempts", "retry_delay_minutes"):
        take(name, (name,), getattr(body, name))
    take("welcome_template", ("welcome_message_template",), body.welcome_message_template)
    take("agenda_template", ("agenda_template",), body.agenda_template)
    for where, nested, renamed in (
        ("settings", body.settings, {}),
        (
            "execution_settings",
            body.execution_settings,
            {
                "concurrent_limit": "max_concurrent_calls",
                "rate_limit_per_minute": "calls_per_minute",
            },
        ),
        ("advanced_settings", body.advanced_settings, {}),
    ):
        for name, value in nested or ():
            if name in ("allowed_hours", "time_zone"):
                continue
            take(renamed.get(name, name), (where, name), value)
    if (within := body.execution_settings) is not None:
        with unusable_at("execution_settings"):
            hours = parse_hours(within.allowed_hours, within.time_zone)
            take("calling_hours", ("execution_settings", "allowed_hours"), hours)
    values = {name: value for name, (_, value) in given.items()}
    welcome, agenda = values.pop("welcome_template", None), values.pop("agenda_template", None)
    assert welcome is None or isinstance(welcome, str), "validated by the body"
    assert agenda is None or isinstance(agenda, str), "validated by the body"
    return values, welcome, agenda


@contextmanager
def unusable_at(*loc: str) -> Iterator[None]:
    """Turn an unusable schedule into a 422 that names its place in the body."""
    try:
        yield
    except UnusableScheduleError as exc:
        raise unprocessable((*loc, *exc.loc), exc.msg) from exc


def schedule_of(body: DetailsBody, now: datetime) -> Schedule | None:
    """Return the schedule of a body; None: immediate, or none.

    Raises:
        RequestValidationError: it is not a schedule.

    """
    with unusable_at("schedule"):
        return parse_embedded(body.schedule, now)


def refuse_until(body: ReasonBody | None) -> str | None:
    """Return the reason; refuse `until`, the end of a pause, which is not supported.

    Raises:
        RequestValidationError: `until` was given.

    """
    if body is None:
        return None
    if body.until is not None:
        raise unprocessable(("until",), "until is not supported yet")
    return body.reason
