"""The type of settings that are durations. Pure."""

from typing import Annotated

from pydantic import Field

SETTING_S_MAX = 86_400.0  # A day: a longer wait is never useful, and no timer overflows.
Seconds = Annotated[float, Field(gt=0, le=SETTING_S_MAX, allow_inf_nan=False)]
