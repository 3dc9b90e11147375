"""One row of a list of contacts, as facts hold it: used, or unusable. Pure."""

from msgspec import field

from campaigns.domain.values.value import PositiveInt, Value


class Row(Value, frozen=True, kw_only=True):
    """One contact as it was imported. Personal data is here and nowhere else."""

    phone_number: str  # E.164.
    name: str | None = None
    email: str | None = None
    # Template variables, name included.
    variables: dict[str, str] = field(default_factory=dict)


class RowError(Value, frozen=True, kw_only=True):
    """One row that could not be used."""

    line: PositiveInt  # Line 1 is the header.
    reason: str
