"""One row of a list of contacts, as facts hold it: used, or unusable. Pure."""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class Row(BaseModel):
    """One contact as it was given. Personal data stands here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    phone_number: str  # E.164.
    name: str | None = None
    email: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)  # Template variables, name included.

    def as_json(self) -> bytes:
        """Return what `model_dump_json` comes down to, without its way there: lists are long."""
        return self.__pydantic_serializer__.to_json(self)


class RowError(BaseModel):
    """One row that could not be used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    line: PositiveInt  # Line 1 is the header.
    reason: str
