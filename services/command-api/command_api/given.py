"""What a body says, once: settings under all their names, and what this build cannot keep. Pure."""

from campaigns.facts import CampaignSettings
from command_api.bodies import CreateBody, DetailsBody, ReasonBody, unprocessable


def settings_of(body: CreateBody) -> tuple[CampaignSettings, str | None, str | None]:
    """Return the settings, the welcome and the agenda template, each stored once.

    Raises: see `given_settings`.
    """
    values, welcome, agenda = given_settings(body)
    return CampaignSettings.model_validate(values), welcome, agenda


def given_settings(body: DetailsBody) -> tuple[dict[str, object], str | None, str | None]:
    """Return the settings that were given, the welcome and the agenda template.

    Raises:
        RequestValidationError: one thing was given under two names with two values.

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
            take(renamed.get(name, name), (where, name), value)
    values = {name: value for name, (_, value) in given.items()}
    welcome, agenda = values.pop("welcome_template", None), values.pop("agenda_template", None)
    assert welcome is None or isinstance(welcome, str), "validated by the body"
    assert agenda is None or isinstance(agenda, str), "validated by the body"
    return values, welcome, agenda


def refuse_schedule(body: DetailsBody) -> None:
    """Refuse what this build cannot keep: a schedule must not be dropped in silence.

    Raises:
        RequestValidationError: it is other than immediate.

    """
    schedule = body.schedule or {}
    kind = schedule.get("schedule_type", schedule.get("scheduleType"))
    if kind not in (None, "immediate"):
        raise unprocessable(("schedule", "schedule_type"), "Schedules are not supported yet")


def refuse_until(body: ReasonBody | None) -> str | None:
    """Return the reason given; refuse an end of the pause, which this build cannot keep.

    Raises:
        RequestValidationError: `until` was given.

    """
    if body is None:
        return None
    if body.until is not None:
        raise unprocessable(("until",), "until is not supported yet")
    return body.reason
