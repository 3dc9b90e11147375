"""Parts of one process that share a fold of campaigns and contacts: a host, and its guests.

The host reads the log, folds and stores; a guest is told of each accepted record afterwards, so
that both stand at one position. What a guest reads is the host's (ADR-0033).
"""

from typing import Protocol

from campaigns.domain.campaigns import Campaigns
from campaigns.log.reader import Reader
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.stores.contacts import Contacts


class Guest(Protocol):
    """A part that folds nothing by itself."""

    def note(self, recorded: Recorded) -> None:
        """Note an accepted record, which the host has folded."""
        ...

    def noted(self, partition: Partition, position: int) -> None:
        """Act on what was noted: a batch has ended, and its contacts can be looked up."""
        ...


class Guests(list[Guest]):
    """The guests of one host."""

    def note(self, recorded: Recorded) -> None:
        """Tell each of a record that is folded."""
        for guest in self:
            guest.note(recorded)

    def noted(self, partition: Partition, position: int) -> None:
        """Tell each that a batch has ended."""
        for guest in self:
            guest.noted(partition, position)


class Host(Protocol):
    """A part that folds for others. It is opened before them, and closed after them."""

    reader: Reader
    campaigns: Campaigns
    contacts: Contacts
    store: CheckpointStore
    guests: Guests  # They join before anything is followed.
