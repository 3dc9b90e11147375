"""How many records a reader has ruled on."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """The number of records read, by ruling, for metrics."""

    accepted: int = 0
    refused: int = 0
    foreign: int = 0
