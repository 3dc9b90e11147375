"""One row of a list of contacts, as facts hold it: used, or unusable. Pure."""

from typing import NamedTuple

from msgspec import field

from campaigns.domain.values.value import PositiveInt, Value


class Row(Value, frozen=True, kw_only=True):
    """One contact as it was imported. Personal data is here and nowhere else."""

    phone_number: str  # E.164.
    name: str | None = None
    email: str | None = None
    # Template variables, name included.
    variables: dict[str, str] = field(default_factory=dict)


# Shown in place of a number, and of nothing else of a row: neither is anybody's.
ERASED = "erased"  # The contact is forgotten.
UNREADABLE = "unreadable"  # The key of its list is missing, or the row is not what was written.


class UnreadableRow(NamedTuple):
    """An encrypted row that is not erased, and cannot be shown."""

    why: str


Revealed = Row | UnreadableRow | None  # An encrypted row for who may see it. None: it is erased.


class RowError(Value, frozen=True, kw_only=True):
    """One row that could not be used."""

    line: PositiveInt  # Line 1 is the header.
    reason: str
